import { describe, expect, test } from 'vitest'
import type { Expression } from '../ast.js'
import { PromqlError } from '../errors.js'
import { parseExpression, parseSelector } from './parser.js'
import { resolveDurations } from './resolve-durations.js'

describe('operators', () => {
  test.each([
    ['a + b * c', '(a + (b * c))'],
    ['a * b + c', '((a * b) + c)'],
    ['a - b - c', '((a - b) - c)'],
    ['2 ^ 3 ^ 2', '(2 ^ (3 ^ 2))'],
    ['-1 ^ 2', '-(1 ^ 2)'],
    ['-a * b', '(-a * b)'],
    ['-a offset 5m', '-a'],
    ['a or b and c unless d', '(a or ((b and c) unless d))'],
    ['a == b + c', '(a == (b + c))'],
    ['a </ 1 >/ 2', '((a </ 1) >/ 2)'],
    ['a atan2 b * c', '((a atan2 b) * c)'],
    ['a offset 1m + 1m', '(a + 60)'],
  ])('%s is %s', (query, expected) => expect(grouped(parseExpression(query))).toBe(expected))
})

describe('positions are bytes', () => {
  test('of a selector behind characters of several bytes', () => {
    const query = '{"é😀"} + foo'
    const sum = parseExpression(query)
    if (sum.type !== 'binary') throw new Error('not a sum')
    expect(sum.left.position).toEqual({ start: 0, end: 10 })
    expect(sum.right.position).toEqual({ start: 13, end: 16 })
  })

  test('of modifiers: they belong to the node', () => {
    expect(parseExpression('rate(foo[5m] offset 1m)').position).toEqual({ start: 0, end: 23 })
    expect(parseExpression('foo @ end()').position).toEqual({ start: 0, end: 11 })
    expect(parseExpression('sum(foo) by (a)').position).toEqual({ start: 0, end: 15 })
    expect(parseExpression('sum(foo) ').position).toEqual({ start: 0, end: 8 })
  })

  test('of errors, as line and column', () => {
    const error = refusal('sum(\n  foo{"é"="x"} bar\n)')
    expect(error.message).toBe('2:17: parse error: unexpected identifier "bar" in aggregation')
    expect(error.position).toEqual({ start: 21, end: 24 })
  })
})

describe('errors name the closest part of the query', () => {
  test.each([
    ['sum(rate(foo 1))', '1:14: parse error: unexpected number "1" in aggregation'],
    ['sum by (a) foo', '1:12: parse error: unexpected identifier "foo" in aggregation'],
    ['sum(foo[5m 5m])', '1:12: parse error: unexpected duration "5m" in subquery or range, expected ":" or "]"'],
    ['abs(foo 1234567890123)', '1:9: parse error: unexpected number "1234567890"...'],
    [
      'foo[5m+]',
      '1:8: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()',
    ],
    ['(nosuch(x) }', '1:2: parse error: unknown function with name "nosuch"'],
  ])('%s', (query, message) => expect(refusal(query).message).toBe(message))
})

describe('limits', () => {
  test('nesting beyond the limit is refused by name, whatever makes it', () => {
    const nests = [
      `${'('.repeat(5000)}a${')'.repeat(5000)}`,
      `${'-'.repeat(5000)}a`,
      `a${' + a'.repeat(5000)}`,
      `${'a ^ '.repeat(5000)}a`,
      `a${'[5m:]'.repeat(5000)}`,
      `foo[${'('.repeat(5000)}1${')'.repeat(5000)}]`,
      `foo[1${' + 1'.repeat(5000)}]`,
      `${'abs('.repeat(5000)}a${')'.repeat(5000)}`,
      `${'sum('.repeat(5000)}a${')'.repeat(5000)}`,
    ]
    for (const query of nests) expect(refusal(query).message).toContain('nested deeper than depthMax (500)')
  })

  test('nesting below it is read', () => {
    for (const [open, close] of [
      ['(', ')'],
      ['abs(', ')'],
      ['sum(', ')'],
      ['-(', ')'],
    ]) {
      const query = `${open.repeat(240)}a${close.repeat(240)}`
      expect(parseExpression(query).type).toBeDefined()
    }
    expect(parseExpression(`a${' + a'.repeat(490)}`).type).toBe('binary')
  })

  test('a query that is too long is refused by name', () => {
    expect(refusal('a'.repeat(20), { lengthMax: 10 }).message).toContain('lengthMax (10)')
  })
})

test('what is experimental can be turned off', () => {
  expect(refusal('limitk(1, a)', { experimentalFunctions: false }).message).toContain('limitk() is experimental')
  expect(refusal('mad_over_time(a[5m])', { experimentalFunctions: false }).message).toBe(
    '1:1: parse error: function "mad_over_time" is not enabled',
  )
  expect(refusal('a[5m+1m]', { durationExpressions: false }).message).toContain('duration expression is not enabled')
  expect(refusal('a anchored', { extendedRangeSelectors: false }).message).toContain('experimental and not enabled')
  expect(refusal('a + fill(0) b', { fillModifiers: false }).message).toContain('experimental and not enabled')
})

describe('selectors', () => {
  test('give their matchers', () => {
    expect(parseSelector('foo{a!="b",c=~"d|e"}')).toEqual([
      { name: 'a', operator: '!=', value: 'b' },
      { name: 'c', operator: '=~', value: 'd|e' },
      { name: '__name__', operator: '=', value: 'foo' },
    ])
  })

  test.each(['{}', '{a=~".*"}', 'foo + bar', 'sum(foo)', 'foo[5m]'])('%s is refused', (text) => {
    expect(() => parseSelector(text)).toThrow(PromqlError)
  })
})

describe('durations', () => {
  const times = { startMs: 0, endMs: 600_000, stepMs: 15_000 }

  test('are computed from the step and range of the query', () => {
    const rate = resolveDurations(parseExpression('sum(rate(foo[max_of(4 * step(), 30s)] offset -range()))'), times)
    expect(rate).toMatchObject({
      expression: { arguments: [{ rangeMs: 60_000, selector: { offsetMs: -600_000 } }] },
    })
  })

  test('leave an expression without computed ones as it is', () => {
    const expression = parseExpression('sum(rate(foo[5m:1m] offset 5m)) + 1')
    expect(resolveDurations(expression, times)).toBe(expression)
  })
})

function grouped(expression: Expression): string {
  switch (expression.type) {
    case 'number':
      return String(expression.value)
    case 'vectorSelector':
      return expression.name
    case 'unary':
      return expression.operator + grouped(expression.expression)
    case 'binary':
      return `(${grouped(expression.left)} ${expression.operator} ${grouped(expression.right)})`
    default:
      return expression.type
  }
}

function refusal(query: string, options?: Parameters<typeof parseExpression>[1]): PromqlError {
  try {
    parseExpression(query, options)
  } catch (error) {
    if (error instanceof PromqlError) return error
    throw error
  }
  throw new Error(`${query} was accepted`)
}
