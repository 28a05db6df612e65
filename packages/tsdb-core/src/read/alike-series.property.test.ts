/** Series of one scrape are read by the runs of those before them: whatever the others are like, nobody gets another's samples. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Labels } from '../model/labels.js'
import { readSamples } from '../testing/read-samples.js'
import { openTemporaryDatabase } from '../testing/temporary-database.js'

const BLOCK_MS = 7_200_000
const START_MS = Date.UTC(2024, 0, 1, 2)
const STEP_MS = 60_000
const STEPS = 150
const SCRAPES_PER_BATCH = 10

/** One series of a target: which scrapes it is in, and what it does besides. */
const series = fc.record({
  // Rows are compressed by 48.
  from: fc.constantFrom(0, 0, 0, 5, 48, 48, 96, 100),
  to: fc.constantFrom(STEPS, STEPS, STEPS, 49, 97, 140),
  missing: fc.constantFrom(-1, -1, -1, 3, 60, 149),
  isLate: fc.boolean(),
})

const world = fc.record({
  targets: fc.array(
    fc.record({
      offset: fc.nat(STEP_MS - 1),
      jitter: fc.boolean(),
      series: fc.array(series, { minLength: 3, maxLength: 6 }),
    }),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  /** Where the block ends among the scrapes. */
  border: fc.constantFrom(0, 0, 40, 130),
  ranges: fc.array(fc.tuple(fc.nat(STEPS), fc.nat(STEPS)), { minLength: 2, maxLength: 4 }),
})

test('series that are scraped together come with their own samples', async () => {
  await fc.assert(
    fc.asyncProperty(world, async ({ targets, border, ranges }) => {
      const startMs = START_MS + BLOCK_MS - (border === 0 ? BLOCK_MS : border * STEP_MS)
      const temporary = await openTemporaryDatabase({ nowMs: startMs + (STEPS + 1) * STEP_MS })
      const namespace = temporary.database.namespace('default')
      const all = targets.flatMap((target, t) => target.series.map((one, s) => ({ ...one, ...target, t, s })))
      const labels = all.map(({ t, s }) => Labels.from({ __name__: 'm', target: String(t), id: String(s) }))
      const refs = await namespace.resolveLabels(labels)
      const timeOf = ({ offset, jitter }: (typeof all)[number], step: number) =>
        startMs + step * STEP_MS + offset + (jitter ? (step * 7) % 5 : 0)
      const wanted = labels.map(() => new Map<number, number>())
      for (let first = 0; first < STEPS; first += SCRAPES_PER_BATCH) {
        const batch: [number, number, number][] = []
        for (let step = first; step < first + SCRAPES_PER_BATCH; step++) {
          for (const [i, one] of all.entries()) {
            if (step < one.from || step >= one.to || step === one.missing) continue
            batch.push([i, timeOf(one, step), i * 1000 + step])
            // One that comes behind newer ones.
            if (one.isLate && step === 120) batch.push([i, timeOf(one, 112) + 9, i * 1000 + 0.5])
          }
        }
        const { rejections } = await namespace.append({
          count: batch.length,
          seriesRefs: Uint32Array.from(batch, ([i]) => refs[i]),
          timestampsMs: Float64Array.from(batch, ([, time]) => time),
          values: Float64Array.from(batch, ([, , value]) => value),
        })
        const refused = new Set(rejections.map(({ sampleIndex }) => sampleIndex))
        for (const [k, [i, time, value]] of batch.entries()) if (!refused.has(k)) wanted[i].set(time, value)
      }
      for (const [from, to] of ranges) {
        const range = { startMs: startMs + from * STEP_MS, endMs: startMs + to * STEP_MS }
        if (range.endMs <= range.startMs) continue
        const got = await readSamples(namespace, {
          matchers: [{ name: '__name__', operator: '=', value: 'm' }],
          ...range,
        })
        const found = [...got].flatMap(([key, samples]) =>
          samples.map(({ timestampMs, bits }) => `${key} ${timestampMs} ${bits}`),
        )
        const expected = wanted.flatMap((samples, i) =>
          [...samples]
            .filter(([time]) => time >= range.startMs && time < range.endMs)
            .map(([time, value]) => `${labels[i].key} ${time} ${bitsOf(value)}`),
        )
        expect(found.sort()).toEqual(expected.sort())
      }
      await temporary.remove()
    }),
    { numRuns: 40 },
  )
})

function bitsOf(value: number): bigint {
  return new BigUint64Array(Float64Array.of(value).buffer)[0]
}
