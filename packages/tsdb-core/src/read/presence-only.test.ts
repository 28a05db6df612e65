import { expect, test } from 'vitest'
import { Labels } from '../model/labels.js'
import { halvesOf, writeStaleAt } from '../model/sample.js'
import type { SelectHints } from '../query/queryable.js'
import { readSamples } from '../testing/read-samples.js'
import { openTemporaryDatabase } from '../testing/temporary-database.js'

const START_MS = Date.UTC(2024, 0, 1, 2)

test('who asks for presence alone gets the same times and the same staleness markers, sealed or not', async () => {
  const world = await openTemporaryDatabase({ nowMs: START_MS + 3 * 7_200_000 })
  // Integers, decimals, a constant, floats of all bits, markers among them and markers alone.
  const kinds: ((k: number) => number)[] = [
    (k) => k,
    (k) => k / 8 + 0.1,
    () => 5,
    (k) => Math.sin(k),
    (k) => (k % 7 === 3 ? Number.NaN : k),
    () => Number.NaN,
  ]
  const samples = kinds.flatMap((valueAt, i) =>
    Array.from({ length: 90 }, (_, k) => ({
      labels: Labels.from({ __name__: 'm', id: String(i) }),
      timestampMs: START_MS + k * 60_000,
      value: valueAt(k),
    })),
  )
  // Numbers lose the bits of a marker, a column keeps them.
  const namespace = world.database.namespace('default')
  const seriesRefs = await namespace.resolveLabels(samples.map(({ labels }) => labels))
  const values = new Float64Array(samples.length)
  const halves = halvesOf(values)
  samples.forEach(({ value }, i) => {
    values[i] = value
    if (Number.isNaN(value)) writeStaleAt(halves, i)
  })
  const timestampsMs = Float64Array.from(samples, ({ timestampMs }) => timestampMs)
  await namespace.append({ count: samples.length, seriesRefs, timestampsMs, values })

  const hints: SelectHints = {
    function: '',
    stepMs: 0,
    rangeMs: 300_000,
    evaluationStartMs: 0,
    evaluationEndMs: 0,
    presenceOnly: true,
  }
  const request = {
    matchers: [{ name: '__name__', operator: '=' as const, value: 'm' }],
    startMs: START_MS + 600_000,
    endMs: START_MS + 5_000_000,
  }
  for (const state of ['open', 'sealed']) {
    if (state === 'sealed') await world.database.flush()
    const wanted = await readSamples(namespace, request)
    const got = await readSamples(namespace, { ...request, hints, reusesBatches: true })
    expect([...got.keys()].sort(), state).toEqual([...wanted.keys()].sort())
    let zeros = 0
    for (const [key, of] of wanted) {
      const found = got.get(key) ?? []
      expect(found.map(({ timestampMs }) => timestampMs)).toEqual(of.map(({ timestampMs }) => timestampMs))
      expect(found.map(isNaN64)).toEqual(of.map(isNaN64))
      // The newest samples of an open block are not compressed, and are read as they stand.
      const compressed = state === 'sealed' ? found : found.slice(0, 30)
      if (compressed.every(({ bits }) => bits === 0n)) zeros++
    }
    // The integers, the decimals and the constant were not decoded.
    expect(zeros, state).toBeGreaterThanOrEqual(3)
  }
  await world.remove()
})

function isNaN64({ bits }: { bits: bigint }): string {
  return (bits & 0x7ff0000000000000n) === 0x7ff0000000000000n ? bits.toString(16) : 'number'
}
