/** Answers are kept by what was asked: the same question must get a new answer once there is one. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Database } from './database.js'
import { Labels } from './model/labels.js'
import type { Matcher } from './model/matcher.js'
import type { Matchers } from './query/queryable.js'
import { readSamples } from './testing/read-samples.js'
import { openTemporaryDatabase } from './testing/temporary-database.js'

const BLOCK_MS = 60_000
const START_MS = Date.UTC(2024, 0, 1)
const RETENTION_MS = 4 * BLOCK_MS

const SERIES = Array.from({ length: 24 }, (_, i) =>
  Labels.from({ __name__: `m${i % 4}`, host: `h${i % 7}`, id: `${i}`, ...(i % 3 === 0 && { third: 'yes' }) }),
)
const SELECTORS: readonly Matchers[] = [
  [],
  [{ name: '__name__', operator: '=', value: 'm1' }],
  [{ name: '__name__', operator: '=~', value: 'm[12]' }],
  [{ name: 'host', operator: '=~', value: 'h1|h2' }],
  [
    { name: '__name__', operator: '=~', value: 'm.+' },
    { name: 'third', operator: '=', value: '' },
  ],
  [
    { name: 'third', operator: '!=', value: '' },
    { name: 'host', operator: '!~', value: 'h[0-3]' },
  ],
]

const command = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      // Also late ones, into blocks that are sealed already.
      samples: fc.array(fc.record({ series: fc.nat(23), backMs: fc.nat(RETENTION_MS - 1) }), { maxLength: 20 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('seal' as const, 'maintain' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3 * BLOCK_MS) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      selector: fc.integer({ min: 1, max: SELECTORS.length - 1 }),
      backMs: fc.nat(RETENTION_MS),
    }),
  },
)

it('a question that was asked before gets the answer of one that was not, through appends, seals, deletes and merges', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 2, maxLength: 12, size: 'max' }), async (commands) => {
      const temporary = await openTemporaryDatabase({
        nowMs: START_MS,
        namespaces: { default: { retentionMs: RETENTION_MS, blockSizeMs: BLOCK_MS } },
      })
      const { database, clock } = temporary
      const namespace = database.namespace('default')
      let asked = 0
      try {
        for (const command of commands) {
          const nowMs = clock.wallMs()
          if (command.kind === 'append') {
            await database.append(
              command.samples.map(({ series, backMs }) => ({
                labels: SERIES[series],
                timestampMs: nowMs - backMs,
                value: series * 1e6 + backMs,
              })),
            )
          } else if (command.kind === 'seal') await database.flush()
          else if (command.kind === 'maintain') await database.maintain()
          else if (command.kind === 'delete') {
            const startMs = nowMs - command.backMs
            const matchers = SELECTORS[command.selector]
            await namespace.deleteSamples({ matchers, startMs, endMs: startMs + BLOCK_MS })
          } else if (command.kind === 'wait') {
            clock.advance(command.ms)
            await database.maintain()
          }
          for (const matchers of SELECTORS) await expectAsUnasked(database, matchers, `${asked++}`, clock.wallMs())
        }
      } finally {
        await temporary.remove()
      }
    }),
    { numRuns: 30 },
  )
})

async function expectAsUnasked(database: Database, matchers: Matchers, nonce: string, nowMs: number): Promise<void> {
  // Every series passes it, and it was never asked for.
  const unasked: Matcher = { name: 'nonce', operator: '!=', value: nonce }
  const range = { startMs: nowMs - RETENTION_MS, endMs: nowMs + 1 }
  const fresh = [...matchers, unasked]
  if (matchers.length > 0) {
    expect(await readSamples(database, { matchers, ...range })).toEqual(
      await readSamples(database, { matchers: fresh, ...range }),
    )
  }
  const keys = async (all: Matchers) =>
    (await database.series({ matchers: all, ...range })).series.map(({ key }) => key)
  const wanted = await keys(fresh)
  expect(await keys(matchers)).toEqual(wanted)
  expect(await database.labelNames({ matchers, ...range })).toEqual(
    await database.labelNames({ matchers: fresh, ...range }),
  )
  for (const name of ['id', 'third', 'none']) {
    expect(await database.labelValues(name, { matchers, ...range })).toEqual(
      await database.labelValues(name, { matchers: fresh, ...range }),
    )
  }
}
