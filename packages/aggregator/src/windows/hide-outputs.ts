/** Takes outputs of rollup rules away in a range of windows: the rule makes others there now. */
import type { Namespace } from '@varve/tsdb-core'
import { halvesOf, Labels, METRIC_NAME, writeAbsentAt } from '@varve/tsdb-core/model'

/** All samples of series of these names that end in `[firstEndMs, lastEndMs]`; what is written after stays. */
export async function hideOutputs(
  target: Namespace,
  names: readonly string[],
  firstEndMs: number,
  lastEndMs: number,
): Promise<void> {
  for (const column of ['value', 'increase'] as const) {
    for (const value of names) {
      const { symbols, batches } = await target.select({
        matchers: [{ name: METRIC_NAME, operator: '=', value }],
        startMs: firstEndMs,
        endMs: lastEndMs + 1,
        column,
        exactColumn: true,
      })
      for await (const batch of batches) {
        const series: Labels[] = []
        for (let index = 0; index < batch.seriesCount; index++) {
          const flat: string[] = []
          for (let i = batch.labelOffsets[index] * 2; i < batch.labelOffsets[index + 1] * 2; i++) {
            flat.push(symbols[batch.labelPairs[i]])
          }
          series.push(Labels.fromSorted(flat))
        }
        const refs = await target.resolveLabels(series, column)
        const count = batch.values.length
        const seriesRefs = new Uint32Array(count)
        const timestampsMs = new Float64Array(count)
        const values = new Float64Array(count)
        const halves = halvesOf(values)
        for (let index = 0; index < batch.seriesCount; index++) {
          const times = batch.timestampOffsets[batch.timestampColumns[index]]
          for (let at = batch.sampleOffsets[index]; at < batch.sampleOffsets[index + 1]; at++) {
            seriesRefs[at] = refs[index]
            timestampsMs[at] = batch.timestampsMs[times + at - batch.sampleOffsets[index]]
            writeAbsentAt(halves, at)
          }
        }
        await target.append({ count, seriesRefs, timestampsMs, values })
      }
    }
  }
}
