/**
 * Exemplars in memory: the latest so many of all series together; the oldest stored one makes room for a new one.
 *
 * Rules are those of Prometheus: at most 128 characters of labels, in order of time within a series, an exact repetition of
 * the newest is a success without effect.
 */
import { compareLabels, type Labels } from '@varve/tsdb-core/model'

export interface Exemplar {
  readonly labels: Labels
  readonly value: number
  readonly timestampMs: number
}

export interface ExemplarSeries {
  readonly labels: Labels
  /** By time, rising. */
  readonly exemplars: readonly Exemplar[]
}

export type ExemplarFault = 'exemplar labels too long' | 'out of order exemplar' | 'duplicate exemplar'

/** Of the exemplar's label names and values together, in characters. From the OpenMetrics text. */
export const EXEMPLAR_LABELS_SIZE_MAX = 128

interface Kept {
  readonly labels: Labels
  readonly exemplars: Exemplar[]
}

export class ExemplarStore {
  /** By the key of the series' labels. */
  readonly #series = new Map<string, Kept>()
  /** Keys in the order in which exemplars came: a ring. */
  readonly #order: (string | undefined)[] = []
  #next = 0
  #count = 0
  readonly #countMax: number
  appendedCount = 0

  /** `countMax` 0 keeps none: `add` then succeeds without effect. */
  constructor(countMax = 100_000) {
    this.#countMax = countMax
  }

  get count(): number {
    return this.#count
  }

  /** Keeps one. Returns why not, or null. An exact repetition is not an error. */
  add(labels: Labels, exemplar: Exemplar): ExemplarFault | null {
    const size = exemplar.labels.flat.reduce((sum, text) => sum + [...text].length, 0)
    if (size > EXEMPLAR_LABELS_SIZE_MAX) return 'exemplar labels too long'
    if (this.#countMax === 0) return null
    const key = labels.key
    const kept = this.#series.get(key)
    const newest = kept?.exemplars[kept.exemplars.length - 1]
    if (newest !== undefined) {
      if (
        newest.timestampMs === exemplar.timestampMs &&
        Object.is(newest.value, exemplar.value) &&
        newest.labels.equals(exemplar.labels)
      ) {
        return null
      }
      if (exemplar.timestampMs < newest.timestampMs) return 'out of order exemplar'
      if (exemplar.timestampMs === newest.timestampMs) return 'duplicate exemplar'
    }
    if (this.#count === this.#countMax) this.#dropOldest()
    if (kept !== undefined && this.#series.has(key)) kept.exemplars.push(exemplar)
    else this.#series.set(key, { labels, exemplars: [exemplar] })
    this.#order[this.#next] = key
    this.#next = (this.#next + 1) % this.#countMax
    this.#count++
    this.appendedCount++
    return null
  }

  /** Exemplars of series for which `matches` holds, with `startMs <= time <= endMs`, sorted by labels. */
  select(request: { matches: (labels: Labels) => boolean; startMs: number; endMs: number }): ExemplarSeries[] {
    const found: ExemplarSeries[] = []
    for (const { labels, exemplars } of this.#series.values()) {
      const inRange = exemplars.filter(
        ({ timestampMs }) => timestampMs >= request.startMs && timestampMs <= request.endMs,
      )
      if (inRange.length > 0 && request.matches(labels)) found.push({ labels, exemplars: inRange })
    }
    return found.sort((a, b) => compareLabels(a.labels, b.labels))
  }

  #dropOldest(): void {
    const key = this.#order[this.#next]
    const kept = key === undefined ? undefined : this.#series.get(key)
    if (key === undefined || kept === undefined) return
    kept.exemplars.shift()
    if (kept.exemplars.length === 0) this.#series.delete(key)
    this.#count--
  }
}
