/** All programs of docs/library.md, as they stand there, one after the other in one folder. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as promql from '@varve/promql'
import * as core from '@varve/tsdb-core'
import * as model from '@varve/tsdb-core/model'
import * as testing from '@varve/tsdb-core/testing'
import { expect, test } from 'vitest'

const page = readFileSync(new URL('../../docs/library.md', import.meta.url), 'utf8')
const programs = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, program]) => program)
const AsyncFunction = (async () => undefined).constructor as new (
  ...parts: string[]
) => (...values: unknown[]) => Promise<void>

test('every program of the page runs, and what it names is there', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'varve-library-'))
  const packages: Record<string, unknown> = {
    '@varve/tsdb-core': core,
    '@varve/tsdb-core/model': model,
    '@varve/tsdb-core/testing': testing,
    '@varve/promql': promql,
  }
  const plotted: string[] = []
  const told: unknown[] = []
  const given: Record<string, unknown> = {
    packages,
    told,
    plot: (labels: Record<string, string>, times: Float64Array, values: Float64Array) =>
      plotted.push(`${labels.room} ${times.length} ${values}`),
    samples: [
      { labels: { __name__: 'room_temperature', room: 'attic' }, timestampMs: Date.now() + 2_000, value: 30 },
      { labels: { __name__: 'room_temperature', room: 'attic' }, timestampMs: Date.now() + 86_400_000, value: 30 },
    ],
    startMs: 0,
    endMs: 1,
    console: { error: (_sample: object, reason: string) => told.push(reason) },
  }
  const program = programs
    .join('\n')
    .replace(/^import (\{[^}]*\}) from '([^']*)'$/gm, (_all, names, name) => `const ${names} = packages['${name}']`)
    .replaceAll("'./", `'${directory}/`)
    // The first program closes what the others go on with; the page says in words where it is closed.
    .replace('await db.close()\n', '')
    .replace('// Later, with the store closed', 'await db.close()\ntold.push(problems, result.type, names, rooms)\n//')
  try {
    await new AsyncFunction(...Object.keys(given), program)(...Object.values(given))
  } finally {
    rmSync(directory, { recursive: true })
  }
  expect(programs.length).toBeGreaterThan(7)
  expect(program).not.toMatch(/^import /m)
  expect(plotted).toEqual(['kitchen 2 21.5,21.6', 'cellar 2 12.25,12.25'])
  expect(told).toEqual(['TOO_FAR_AHEAD', [], 'matrix', ['__name__', 'room'], ['attic', 'cellar', 'kitchen']])
})
