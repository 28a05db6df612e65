/** Writes loaded series by remote write, in the order of time: a series that changes between floats and histograms stays whole. */

import type { LoadSeries } from '@varve/promql/testing'
import type { Histogram } from '@varve/tsdb-core/model'
import { encodeSnappy } from '../snappy/index.js'
import { bodyV1, bodyV2, type TestSeries } from './write-bodies.js'

const STALE = new Float64Array(BigUint64Array.of(0x7ff0_0000_0000_0002n).buffer)
const V2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request'

/** One request a slice of `sliceMs`; in turns by remote write 1.0 and 2.0. */
export async function writeLoad(url: string, series: readonly LoadSeries[], sliceMs: number): Promise<void> {
  const slices = new Map<number, TestSeries[]>()
  for (const { labels, samples } of series) {
    const isHistograms = samples.some(({ histogram }) => histogram !== undefined)
    for (const { timeMs, value, histogram } of samples) {
      const slice = Math.floor(timeMs / sliceMs)
      const list = slices.get(slice) ?? []
      if (list.length === 0) slices.set(slice, list)
      const pairs = [...labels] as [string, string][]
      const last = list.at(-1)
      const own =
        last?.labels.join() === pairs.join() ? last : { labels: pairs, samples: [], histograms: [] as object[] }
      if (own !== last) list.push(own)
      if (histogram) (own.histograms as object[]).push(message(histogram, timeMs))
      else if (value === undefined && isHistograms) (own.histograms as object[]).push(staleHistogram(timeMs))
      else own.samples.push({ value: value ?? STALE[0], timestamp: timeMs })
    }
  }
  for (const [slice, list] of [...slices].sort(([a], [b]) => a - b)) {
    const second = slice % 2 === 1
    const response = await fetch(`${url}/api/v1/write`, {
      method: 'POST',
      headers: { 'Content-Type': second ? V2 : 'application/x-protobuf', 'Content-Encoding': 'snappy' },
      body: encodeSnappy(second ? bodyV2(list) : bodyV1(list)) as Uint8Array<ArrayBuffer>,
    })
    if (!response.ok) throw new Error(`${url} refused slice ${slice}: ${response.status} ${await response.text()}`)
    await response.arrayBuffer()
  }
}

const staleHistogram = (timestamp: number) => ({ countInt: 0, zeroCountInt: 0, sum: STALE[0], timestamp })
const HINTS = { unknown: 0, reset: 1, notReset: 2, gauge: 3 }

function message(histogram: Histogram, timestamp: number): object {
  const { positiveBuckets, negativeBuckets, counterResetHint, customValues, integer, count, zeroCount } = histogram
  const deltas = (counts: Float64Array) => [...counts].map((one, i) => one - (i === 0 ? 0 : counts[i - 1]))
  return {
    ...(integer ? { countInt: count, zeroCountInt: zeroCount } : { countFloat: count, zeroCountFloat: zeroCount }),
    sum: histogram.sum,
    schema: histogram.schema,
    zeroThreshold: histogram.zeroThreshold,
    positiveSpans: histogram.positiveSpans,
    negativeSpans: histogram.negativeSpans,
    ...(integer
      ? { positiveDeltas: deltas(positiveBuckets), negativeDeltas: deltas(negativeBuckets) }
      : { positiveCounts: [...positiveBuckets], negativeCounts: [...negativeBuckets] }),
    customValues: [...customValues],
    resetHint: HINTS[counterResetHint],
    timestamp,
  }
}
