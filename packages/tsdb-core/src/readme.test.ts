import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as core from './index.js'
import * as model from './model/index.js'
import * as testing from './testing/index.js'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const LIBRARY = readFileSync(new URL('../../../docs/library.md', import.meta.url), 'utf8')
const AsyncFunction = (async () => undefined).constructor as new (
  ...parts: string[]
) => (...values: unknown[]) => Promise<void>

/** Runs a program whose imports are the package's own entries. */
async function run(program: string, values: Record<string, unknown>): Promise<void> {
  const entries = { core, model, testing, ...values }
  const body = program.replace(
    /^import (\{[^}]*\}) from '@varve\/tsdb-core(?:\/(\w+))?'$/gm,
    (_all, names, entry) => `const ${names} = ${entry ?? 'core'}`,
  )
  await new AsyncFunction(...Object.keys(entries), body)(...Object.values(entries))
}

test("the README's program prints the samples", async () => {
  const printed: unknown[] = []
  const [, program] = /```js\n([\s\S]*?)```/.exec(README) as RegExpExecArray
  await run(program, { console: { log: (value: unknown) => printed.push(value) } })
  expect(printed).toEqual([Float64Array.of(21.5, 21.6)])
})

test("the library page's programs run one after the other", async () => {
  const programs = [...LIBRARY.matchAll(/```js\n([\s\S]*?)```/g)].map(([, program]) => program)
  const [open, , columns, , plot, lists] = programs
  const plotted: unknown[] = []
  const program = `${open.replace(/directory: '[^']*',.*\n/, '').replace('await db.close()', '')}
${columns}
${plot}
${lists}
list(names, rooms, series.map(String))
await db.close()`
  const listed: unknown[] = []
  await run(program, {
    list: (...lists: unknown[]) => listed.push(...lists),
    plot: (labels: { room: string }, times: Float64Array, values: Float64Array) =>
      plotted.push([labels.room, times.length, [...values]]),
  })
  expect(plotted).toEqual([
    ['kitchen', 2, [21.5, 21.6]],
    ['cellar', 2, [12.25, 12.25]],
  ])
  expect(listed).toEqual([['__name__', 'room'], ['cellar', 'kitchen'], ['room_temperature{room="cellar"}']])
  await run(programs.at(-1) as string, {})
})

test('the README lists every error code', () => {
  const source = readFileSync(new URL('errors.ts', import.meta.url), 'utf8')
  for (const [, code] of source.matchAll(/\| '([A-Z_]+)'/g)) expect(README).toContain(`\`${code}\``)
})
