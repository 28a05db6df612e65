import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as codec from './index.js'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test("the README's program prints what it says", () => {
  const program = /```ts\n([\s\S]*?)```/.exec(README)![1]
  const printed: unknown[] = []
  const body = program.replace(/^import (\{[^}]*\}) from .*$/m, 'const $1 = codec')
  new Function('codec', 'console', body)(codec, { log: (value: unknown) => printed.push(value) })
  expect(printed).toEqual([
    { encoding: 2, count: 4, min: 0.51, max: 0.6, sum: 0.52 + 0.51 + 0.55 + 0.6 },
    Float64Array.of(0.52, 0.51, 0.55, 0.6),
  ])
})

test('the README lists every error code', () => {
  const source = readFileSync(new URL('errors.ts', import.meta.url), 'utf8')
  for (const [, code] of source.matchAll(/\| '([A-Z_]+)'/g)) expect(README).toContain(`\`${code}\``)
})
