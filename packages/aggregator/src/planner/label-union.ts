/** Labels of several namespaces put together. */
import type { Namespace } from '@varve/tsdb-core'
import { compareUtf8, type Labels, sortLabels } from '@varve/tsdb-core/model'
import type { LabelRequest, LabelResult, SeriesResult } from '@varve/tsdb-core/query'

/** Names, or values of a name, sorted by UTF-8 bytes. */
export async function labelUnion(
  namespaces: readonly Namespace[],
  { limit }: LabelRequest,
  read: (namespace: Namespace) => Promise<LabelResult>,
): Promise<LabelResult> {
  const values = new Set<string>()
  const warnings = new Set<string>()
  for (const namespace of namespaces) {
    const result = await read(namespace)
    for (const value of result.values) values.add(value)
    for (const warning of result.warnings) warnings.add(warning)
  }
  return { values: limited([...values].sort(compareUtf8), limit), warnings: [...warnings] }
}

/** Series looked at between two pauses. */
const SERIES_PER_TURN = 256

/** Label sets, sorted, each once; `pause` lets the event loop turn. */
export async function seriesUnion(
  namespaces: readonly Namespace[],
  request: LabelRequest,
  pause: () => Promise<void>,
): Promise<SeriesResult> {
  const found: (readonly Labels[])[] = []
  const warnings = new Set<string>()
  for (const namespace of namespaces) {
    const result = await namespace.series(request)
    if (result.series.length > 0) found.push(result.series)
    for (const warning of result.warnings) warnings.add(warning)
  }
  // The series of one namespace are sorted, and none comes twice.
  const series = found.length > 1 ? await distinct(await sortLabels(found.flat(), pause), pause) : (found[0] ?? [])
  return { series: limited(series, request.limit), warnings: [...warnings] }
}

async function distinct(sorted: readonly Labels[], pause: () => Promise<void>): Promise<Labels[]> {
  const distinct: Labels[] = []
  for (const [i, labels] of sorted.entries()) {
    if (i % SERIES_PER_TURN === SERIES_PER_TURN - 1) await pause()
    if (i === 0 || !labels.equals(sorted[i - 1])) distinct.push(labels)
  }
  return distinct
}

function limited<T>(values: readonly T[], limit: number | undefined): readonly T[] {
  return limit !== undefined && limit > 0 ? values.slice(0, limit) : values
}
