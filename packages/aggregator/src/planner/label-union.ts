/** Labels of several namespaces put together. */
import type { Namespace } from '@varve/tsdb-core'
import { compareLabels, compareUtf8, type Labels } from '@varve/tsdb-core/model'
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

export async function seriesUnion(namespaces: readonly Namespace[], request: LabelRequest): Promise<SeriesResult> {
  const found = new Map<string, Labels>()
  const warnings = new Set<string>()
  for (const namespace of namespaces) {
    const result = await namespace.series(request)
    for (const labels of result.series) if (!found.has(labels.key)) found.set(labels.key, labels)
    for (const warning of result.warnings) warnings.add(warning)
  }
  const series = [...found.values()].sort(compareLabels)
  return { series: limited(series, request.limit), warnings: [...warnings] }
}

function limited<T>(values: T[], limit: number | undefined): T[] {
  return limit !== undefined && limit > 0 ? values.slice(0, limit) : values
}
