/**
 * Cuts the series of a large answer into parts that are read one after the other, so that a stitched answer is never in
 * memory as a whole: a part is what one more matcher selects.
 */
import type { Labels, Matcher } from '@varve/tsdb-core/model'

/** So many samples of a part are in memory at once, more or less. */
export const SAMPLES_PER_PART = 2_000_000

export interface SeriesChunk {
  /** Besides the request's own. */
  readonly matchers: readonly Matcher[]
  readonly seriesCount: number
}

/** Parts of at most some `seriesPerPart` series, by the values of the label that tells most of them apart. */
export function chunksOf(series: Iterable<Labels>, seriesPerPart: number): SeriesChunk[] {
  const all = [...series]
  const everything: SeriesChunk = { matchers: [], seriesCount: all.length }
  if (all.length <= seriesPerPart) return [everything]
  const counts = new Map<string, Map<string, number>>()
  for (const labels of all) {
    for (const [name, value] of labels) {
      let values = counts.get(name)
      if (values === undefined) counts.set(name, (values = new Map()))
      values.set(value, (values.get(value) ?? 0) + 1)
    }
  }
  let best: [string, Map<string, number>] | null = null
  for (const entry of counts) if (best === null || entry[1].size > best[1].size) best = entry
  if (best === null || best[1].size === 1) return [everything]
  const [name, values] = best
  const chunks: SeriesChunk[] = []
  let some: string[] = []
  let seriesCount = 0
  const end = () => {
    if (some.length === 0) return
    chunks.push({ matchers: [{ name, operator: '=~', value: some.map(escapePattern).join('|') }], seriesCount })
    some = []
    seriesCount = 0
  }
  for (const [value, count] of values) {
    if (seriesCount + count > seriesPerPart) end()
    some.push(value)
    seriesCount += count
  }
  end()
  let withLabel = 0
  for (const count of values.values()) withLabel += count
  if (withLabel < all.length) {
    chunks.push({ matchers: [{ name, operator: '=', value: '' }], seriesCount: all.length - withLabel })
  }
  return chunks
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
