/** Which labels the series of a head have most. */
import type { Head } from '../head/head.js'
import { METRIC_NAME } from '../model/labels.js'
import type { Cardinality, NamedCount } from '../namespace.js'

const VALUES_PER_LOOK = 1_024

export async function readCardinality(
  heads: readonly Head[],
  limit: number,
  pause: () => Promise<void> | undefined,
): Promise<Cardinality> {
  const names = new Set<string>()
  let seriesCount = 0
  for (const { series, index } of heads) {
    seriesCount += series.liveCount
    for (const name of index.labelNames()) names.add(name)
  }
  const byMetricName = new Largest(limit)
  const byLabelName = new Largest(limit)
  const sizeByLabelName = new Largest(limit)
  const byLabelPair = new Largest(limit)
  let labelPairCount = 0
  for (const name of names) {
    const counts = new Map<string, number>()
    for (const { index } of heads) {
      const label = index.label(name)
      for (let i = 0; i < (label?.count ?? 0); i++) {
        if (i % VALUES_PER_LOOK === 0) await pause()
        const value = label?.text(i) ?? ''
        counts.set(value, (counts.get(value) ?? 0) + (label?.seriesCount(i) ?? 0))
      }
    }
    let valueCount = 0
    let sizeBytes = 0
    let looked = 0
    for (const [value, count] of counts) {
      if (looked++ % VALUES_PER_LOOK === 0) await pause()
      // A value whose series have all gone is still known to the index for a while.
      if (count === 0) continue
      valueCount++
      sizeBytes += value.length
      byLabelPair.add(() => `${name}=${value}`, count)
      if (name === METRIC_NAME) byMetricName.add(() => value, count)
    }
    if (valueCount === 0) continue
    labelPairCount += valueCount
    byLabelName.add(() => name, valueCount)
    sizeByLabelName.add(() => name, sizeBytes)
  }
  return {
    seriesCount,
    labelPairCount,
    byMetricName: byMetricName.list(),
    byLabelName: byLabelName.list(),
    sizeByLabelName: sizeByLabelName.list(),
    byLabelPair: byLabelPair.list(),
  }
}

/** The largest counts of a long list, without keeping the rest of it. */
class Largest {
  readonly #limit: number
  #kept: NamedCount[] = []
  /** What is not above this is not among the largest. */
  #least = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  add(name: () => string, count: number): void {
    if (count <= this.#least && this.#kept.length >= this.#limit) return
    this.#kept.push({ name: name(), count })
    if (this.#kept.length >= 2 * this.#limit + 100) this.#cut()
  }

  list(): readonly NamedCount[] {
    this.#cut()
    return this.#kept
  }

  #cut(): void {
    this.#kept.sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
    if (this.#kept.length < this.#limit) return
    this.#kept.length = this.#limit
    this.#least = this.#kept.at(-1)?.count ?? 0
  }
}
