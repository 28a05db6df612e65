/** Outputs that have nothing in a window, when windows are computed again: what stands there has to go. */
import type { Namespace } from '@varve/tsdb-core'
import type { AggregateColumn, Labels } from '@varve/tsdb-core/model'

export interface EmptyWindow {
  readonly labels: Labels
  readonly table: 0 | 1
  readonly slots: readonly number[]
  readonly endMs: number
}

export function bySeries(empty: readonly EmptyWindow[]): Iterable<readonly EmptyWindow[]> {
  const windows = new Map<string, EmptyWindow[]>()
  for (const each of empty) {
    const list = windows.get(each.labels.key)
    if (list) list.push(each)
    else windows.set(each.labels.key, [each])
  }
  return windows.values()
}

/** At which ends of these windows, which are of one series, it has something. */
export async function writtenEnds(
  target: Namespace,
  windows: readonly EmptyWindow[],
  column: AggregateColumn,
): Promise<Set<number>> {
  const [{ labels }] = windows
  const ends = windows.map(({ endMs }) => endMs)
  const matchers = [...labels].map(([name, value]) => ({ name, operator: '=' as const, value }))
  const range = { startMs: Math.min(...ends), endMs: Math.max(...ends) + 1 }
  const { batches } = await target.select({ matchers, ...range, column })
  const written = new Set<number>()
  for await (const batch of batches) {
    for (let series = 0; series < batch.seriesCount; series++) {
      // The matchers let series with more labels pass.
      if (batch.labelOffsets[series + 1] - batch.labelOffsets[series] !== labels.size) continue
      const times = batch.timestampColumns[series]
      for (let at = batch.timestampOffsets[times]; at < batch.timestampOffsets[times + 1]; at++) {
        written.add(batch.timestampsMs[at])
      }
    }
  }
  return written
}
