import { readFileSync } from 'node:fs'
import * as core from '@varve/tsdb-core'
import { expect, test } from 'vitest'
import * as promql from './index.js'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const AsyncFunction = (async () => undefined).constructor as new (
  ...parts: string[]
) => (...values: unknown[]) => Promise<void>

test("the README's program prints rates", async () => {
  const printed: string[] = []
  const program = (/```js\n([\s\S]*?)```/.exec(README) as RegExpExecArray)[1].replace(
    /^import (\{[^}]*\}) from '@varve\/(?:tsdb-)?(\w+)'$/gm,
    (_all, names, entry) => `const ${names} = ${entry}`,
  )
  const console = { log: (line: string) => printed.push(line), warn: (line: string) => printed.push(line) }
  await new AsyncFunction('core', 'promql', 'console', program)(core, promql, console)
  expect(printed).toEqual(['{path="/"} 20000 3', '{path="/"} 10000 3', '{path="/"} 0 3'])
})

test('the README lists every error code', () => {
  const source = readFileSync(new URL('errors.ts', import.meta.url), 'utf8')
  for (const [, code] of source.matchAll(/\| '([a-z_]+)'/g)) expect(README).toContain(`\`${code}\``)
})
