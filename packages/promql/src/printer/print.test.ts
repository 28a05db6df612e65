import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Expression } from '../ast.js'
import { parseExpression } from '../parser/parser.js'
import { expressionToJson } from './json.js'
import { prettyExpression, printExpression } from './print.js'

describe('one line', () => {
  test.each([
    ['sum by(b,a)(rate(x[5m]))', 'sum by (b, a) (rate(x[5m]))'],
    ['sum(x)by()', 'sum(x)'],
    ['sum without()(x)', 'sum without () (x)'],
    ['topk(5,x)', 'topk(5, x)'],
    ['x{b!="1",a="2"}', 'x{a="2",b!="1"}'],
    ['{__name__="x"}', '{__name__="x"}'],
    ['{"x y", "a b"="1"}', '{"a b"="1",__name__="x y"}'],
    ['x[90s] offset -1w @ 1.5', 'x[1m30s] @ 1.500 offset -1w'],
    ['x@end() offset 0.5', 'x @ end() offset 500ms'],
    ['x[5m:] @ start()', 'x[5m:] @ start()'],
    ['x[5m:1m+step()] offset (5)', 'x[5m:1m + step()] offset (5)'],
    ['rate(x[5m]anchored)', 'rate(x[5m] anchored)'],
    ['a*on(x)group_left(y)fill_right(0)b', 'a * on (x) group_left (y) fill_right (0) b'],
    ['a>bool ignoring(x)fill(-1)b', 'a > bool ignoring (x) fill (-1) b'],
    ['a</1', 'a </ 1'],
    ['-1e-7', '-0.0000001'],
    ['1e30', '1000000000000000000000000000000'],
    ['"a\\n\\"é"', '"a\\n\\"é"'],
    ['x[min_of(step(),-(1h))]', 'x[min_of(step(), -(1h))]'],
    ['5m+-1h30m', '5m + -1h30m'],
    ['3w', '3w'],
    ['15d', '15d'],
  ])('%s', (query, expected) => expect(printExpression(parseExpression(query))).toBe(expected))
})

describe('several lines', () => {
  const long = (name: string) => `${name}{label="${'v'.repeat(60)}"}`

  test('what fits on a line stays on it', () => {
    expect(prettyExpression(parseExpression('sum( a )+b'))).toBe('sum(a) + b')
  })

  test('operators and calls are split and indented', () => {
    expect(prettyExpression(parseExpression(`sum by (x) (rate(${long('a')}[5m])) / ${long('b')}`))).toBe(
      [`  sum by (x) (rate(${long('a')}[5m]))`, '/', `  ${long('b')}`].join('\n'),
    )
    expect(prettyExpression(parseExpression(`topk(3, abs(${long('a')}) + -(${long('b')}))`))).toBe(
      ['topk(', '  3,', `    abs(${long('a')})`, '  +', `    -(${long('b')})`, ')'].join('\n'),
    )
  })
})

const folder = process.env.VARVE_PROMQL_CASES
test.skipIf(!folder)(
  `printing and parsing again gives the same tree${folder ? '' : ' (skipped: VARVE_PROMQL_CASES is not set)'}`,
  () => {
    const { cases } = JSON.parse(readFileSync(join(folder!, 'parse-cases.json'), 'utf8')) as {
      cases: { query: string; ok: boolean }[]
    }
    for (const { query, ok } of cases) {
      if (!ok || query.includes('\\xFF')) continue
      const expression = parseExpression(query)
      for (const print of [printExpression, prettyExpression]) {
        const text = print(expression)
        expect(comparable(parseExpression(text)), `${query} → ${text}`).toEqual(comparable(expression))
      }
    }
  },
)

/** Printing sorts the matchers, which changes nothing of what is selected. */
function comparable(expression: Expression): unknown {
  return JSON.parse(JSON.stringify(expressionToJson(expression)), (key, value) =>
    key === 'matchers' ? value.map((matcher: unknown) => JSON.stringify(matcher)).sort() : value,
  )
}
