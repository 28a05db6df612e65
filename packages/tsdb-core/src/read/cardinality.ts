/** Which labels the series of a head have most. */
import type { Head } from '../head/head.js'
import { METRIC_NAME } from '../model/labels.js'
import type { Cardinality, NamedCount } from '../namespace.js'

export function readCardinality(heads: readonly Head[], limit: number): Cardinality {
  const byMetricName = new Map<string, number>()
  const byLabelName = new Map<string, number>()
  const byLabelPair = new Map<string, number>()
  let seriesCount = 0
  for (const { series, index } of heads) {
    seriesCount += series.liveCount
    for (const name of index.labelNames()) {
      const label = index.label(name)
      if (label === undefined) continue
      let total = 0
      for (let i = 0; i < label.count; i++) {
        const count = label.seriesCount(i)
        total += count
        add(byLabelPair, `${name}=${label.text(i)}`, count)
        if (name === METRIC_NAME) add(byMetricName, label.text(i), count)
      }
      add(byLabelName, name, total)
    }
  }
  return {
    seriesCount,
    byMetricName: largest(byMetricName, limit),
    byLabelName: largest(byLabelName, limit),
    byLabelPair: largest(byLabelPair, limit),
  }
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count)
}

function largest(counts: ReadonlyMap<string, number>, limit: number): NamedCount[] {
  return [...counts]
    .map(([name, count]) => ({ name, count }))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
    .slice(0, limit)
}
