/** One window's least and greatest values, with what the headers of sealed columns say and without. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Labels } from '../model/labels.js'
import type { Extreme, SelectHints } from '../query/queryable.js'
import { type ReadSample, readSamples } from '../testing/read-samples.js'
import { openTemporaryDatabase } from '../testing/temporary-database.js'

const BLOCK_MS = 60_000
const NOW_MS = Date.UTC(2024, 0, 1)
const SPAN_MS = 6 * BLOCK_MS
const STALE = 0x7ff0000000000002n
const SERIES = [0, 1, 2].map((i) => Labels.from({ __name__: 'm', id: `${i}` }))

const bits = fc.oneof(
  fc.constantFrom(0n, 0x8000000000000000n, STALE, 0x7ff8000000000000n, 0x7ff8000000000001n, 0xfff0000000000000n),
  fc.nat(3).map((n) => new BigUint64Array(Float64Array.of(n / 10).buffer)[0]),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
)
/** Runs of one value are long enough to make columns that hold zeros, NaN or markers alone. */
const run = fc.record({
  series: fc.nat(2),
  fromMs: fc.nat(SPAN_MS),
  count: fc.integer({ min: 1, max: 30 }),
  bits: fc.array(bits, { minLength: 1, maxLength: 2 }),
})
const command = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('append' as const), runs: fc.array(run, { minLength: 1, maxLength: 4 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('seal' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('delete' as const), series: fc.nat(2), fromMs: fc.nat(SPAN_MS) }),
  },
)

it('the extremes of a window are the same with fewer samples', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 1, maxLength: 8, size: 'max' }),
      fc.nat(SPAN_MS),
      fc.integer({ min: 1, max: SPAN_MS }),
      async (commands, backMs, rangeMs) => {
        const temporary = await openTemporaryDatabase({
          nowMs: NOW_MS,
          namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY, blockSizeMs: BLOCK_MS } },
        })
        const { database } = temporary
        const namespace = database.namespace('default')
        try {
          const refs = await namespace.resolveLabels(SERIES)
          for (const command of commands) {
            if (command.kind === 'seal') await database.flush()
            else if (command.kind === 'delete') {
              const startMs = NOW_MS - command.fromMs
              const matchers = [{ name: 'id', operator: '=', value: `${command.series}` }] as const
              await namespace.deleteSamples({ matchers, startMs, endMs: startMs + 20_000 })
            } else {
              for (const one of command.runs) {
                const values = new Float64Array(one.count)
                new BigUint64Array(values.buffer).set(Array.from(values, (_, i) => one.bits[i % one.bits.length]))
                await namespace.append({
                  count: one.count,
                  seriesRefs: new Uint32Array(one.count).fill(refs[one.series]),
                  timestampsMs: Float64Array.from(values, (_, i) => NOW_MS - one.fromMs + i * 1000),
                  values,
                })
              }
            }
          }
          const untilMs = NOW_MS - backMs
          for (const extreme of ['min', 'max'] as const) {
            const matchers = [{ name: '__name__', operator: '=', value: 'm' }] as const
            const range = { matchers, startMs: untilMs - rangeMs + 1, endMs: untilMs + 1 }
            const all = await readSamples(database, range)
            const few = await readSamples(database, { ...range, hints: hintsOf(extreme, untilMs, rangeMs) })
            for (const { key } of SERIES) {
              expect(extremeOf(few.get(key), extreme)).toBe(extremeOf(all.get(key), extreme))
              expect((few.get(key) ?? []).length).toBeLessThanOrEqual((all.get(key) ?? []).length)
            }
          }
        } finally {
          await temporary.remove()
        }
      },
    ),
    { numRuns: 30 },
  )
})

it.each([
  ['zeros keep their sign', [0x8000000000000000n, 0x8000000000000000n], 0x8000000000000000n],
  ['of zeros the newest answers', [0n, 0x8000000000000000n, 0n], 0n],
  ['the first NaN where there is no number', [STALE, 0x7ff8000000000001n, 0x7ff8000000000002n], 0x7ff8000000000001n],
  ['a number where there are NaN', [0x7ff8000000000001n, 0xfff0000000000000n, STALE], 0xfff0000000000000n],
  ['nothing where there are markers alone', [STALE, STALE, STALE], undefined],
])('%s, in a sealed column', async (_, column, wanted) => {
  const temporary = await openTemporaryDatabase({ nowMs: NOW_MS, namespaces: { default: { blockSizeMs: BLOCK_MS } } })
  const { database } = temporary
  const namespace = database.namespace('default')
  const [ref] = await namespace.resolveLabels(SERIES)
  const count = column.length
  const values = new Float64Array(BigUint64Array.from(column).buffer)
  const timestampsMs = Float64Array.from(column, (_, i) => NOW_MS - BLOCK_MS + 1000 * (i + 1))
  await namespace.append({ count, seriesRefs: new Uint32Array(count).fill(ref), timestampsMs, values })
  await database.flush()
  const matchers = [{ name: '__name__', operator: '=', value: 'm' }] as const
  for (const extreme of ['min', 'max'] as const) {
    const hints = hintsOf(extreme, NOW_MS, BLOCK_MS)
    const range = { matchers, startMs: NOW_MS - BLOCK_MS + 1, endMs: NOW_MS + 1 }
    const few = await readSamples(database, { ...range, hints })
    expect(few.get(SERIES[0].key)).toHaveLength(1)
    expect(extremeOf(few.get(SERIES[0].key), extreme)).toBe(wanted)
  }
  await temporary.remove()
})

it('a sealed block inside the window costs one sample a series', async () => {
  const temporary = await openTemporaryDatabase({ nowMs: NOW_MS, namespaces: { default: { blockSizeMs: BLOCK_MS } } })
  const { database } = temporary
  const samples = Array.from({ length: 300 }, (_, i) => ({
    labels: SERIES[0],
    timestampMs: NOW_MS - SPAN_MS + i * 1000,
    value: (i * 7) % 100,
  }))
  await database.append(samples)
  await database.flush()
  const range = { matchers: [], startMs: NOW_MS - SPAN_MS + 1, endMs: NOW_MS + 1 }
  const matchers = [{ name: '__name__', operator: '=', value: 'm' }] as const
  const hints = hintsOf('max', NOW_MS, SPAN_MS)
  const few = await readSamples(database, { ...range, matchers, hints })
  // The first block is cut by the window's open end: its first sample is outside.
  expect(few.get(SERIES[0].key)).toHaveLength(59 + 4)
  const part = { ...range, startMs: range.startMs + 1 }
  expect((await readSamples(database, { ...part, matchers, hints })).get(SERIES[0].key)).toHaveLength(299)
  await temporary.remove()
})

function hintsOf(extreme: Extreme, untilMs: number, rangeMs: number): SelectHints {
  const evaluation = { evaluationStartMs: untilMs, evaluationEndMs: untilMs }
  return { function: `${extreme}_over_time`, stepMs: 0, rangeMs, ...evaluation, extreme }
}

/** The bits of the newest of equal extremes, of the first NaN where there is no number; none where all are stale. */
function extremeOf(samples: readonly ReadSample[] | undefined, extreme: Extreme): bigint | undefined {
  let best: bigint | undefined
  let firstNaN: bigint | undefined
  for (const { bits } of samples ?? []) {
    const value = numberOf(bits)
    if (bits === STALE) continue
    if (Number.isNaN(value)) firstNaN ??= bits
    else if (best === undefined || (extreme === 'max' ? value >= numberOf(best) : value <= numberOf(best))) best = bits
  }
  return best ?? firstNaN
}

function numberOf(bits: bigint): number {
  return new Float64Array(BigUint64Array.of(bits).buffer)[0]
}
