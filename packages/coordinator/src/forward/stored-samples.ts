/**
 * Which samples were stored since the last look, as (series, time) in columns: the store tells these, and their values are
 * read from it afterwards, so that a write never waits for forwarding.
 */
import type { Namespace } from '@varve/tsdb-core'
import type { Matchers } from '@varve/tsdb-core/query'
import { type BatchSeries, seriesOf } from '../remote-read/batch-series.js'

/** Above this, further samples are counted and not forwarded: the look comes too late. */
const NOTED_MAX = 4_000_000
/** Samples that are further apart are read separately, so that one old sample does not mean reading all since. */
const STRETCH_MS = 3_600_000

export class StoredSamples {
  #refs = new Uint32Array(4096)
  #timestampsMs = new Float64Array(4096)
  #count = 0
  #stop: () => void
  missedCount = 0
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#stop = namespace.observe({ samplesStored: (refs, times, count) => this.#note(refs, times, count) })
  }

  close(): void {
    this.#stop()
  }

  /** Reads what was noted, series by series, and forgets it. Only series that match one of `selectors`; empty: all. */
  async *take(selectors: readonly Matchers[]): AsyncGenerator<BatchSeries> {
    const count = this.#count
    const refs = this.#refs.slice(0, count)
    const times = this.#timestampsMs.slice(0, count)
    this.#count = 0
    const wanted = selectors.length === 0 ? [ALL] : selectors
    // There the references told are of columns, and those read of series: windows are known by their ends alone.
    const isAggregated = this.#namespace.options.resolutionMs > 0
    for (const stretch of stretchesOf(refs, times)) {
      const seen = new Set<string>()
      for (const matchers of wanted) {
        const result = await this.#namespace.select({ matchers, startMs: stretch.startMs, endMs: stretch.endMs + 1 })
        for await (const batch of result.batches) {
          for (let i = 0; i < batch.seriesCount; i++) {
            const noted = isAggregated ? stretch.times : stretch.timesOf.get(batch.seriesRefs?.[i] ?? 0)
            if (noted === undefined) continue
            const series = only(seriesOf(batch, result.symbols, i), noted)
            if (wanted.length > 1 && seen.has(series.labels.key)) continue
            seen.add(series.labels.key)
            if (series.values.length > 0) yield series
          }
        }
      }
    }
  }

  /** What was stored for the last `ageMs` before now: after a restart it may have been stored and not forwarded. */
  async *recent(selectors: readonly Matchers[], nowMs: number, ageMs: number): AsyncGenerator<BatchSeries> {
    for (const matchers of selectors.length === 0 ? [ALL] : selectors) {
      const result = await this.#namespace.select({ matchers, startMs: nowMs - ageMs, endMs: nowMs + ageMs })
      for await (const batch of result.batches) {
        for (let i = 0; i < batch.seriesCount; i++) yield seriesOf(batch, result.symbols, i)
      }
    }
  }

  #note(refs: Uint32Array, times: Float64Array, count: number): void {
    if (this.#count + count > NOTED_MAX) {
      this.missedCount += count
      return
    }
    if (this.#count + count > this.#refs.length) {
      const capacity = Math.max(this.#refs.length * 2, this.#count + count)
      this.#refs = copied(this.#refs, new Uint32Array(capacity))
      this.#timestampsMs = copied(this.#timestampsMs, new Float64Array(capacity))
    }
    this.#refs.set(refs.subarray(0, count), this.#count)
    this.#timestampsMs.set(times.subarray(0, count), this.#count)
    this.#count += count
  }
}

const ALL: Matchers = [{ name: '__name__', operator: '!=', value: '' }]

interface Stretch {
  readonly startMs: number
  readonly endMs: number
  readonly timesOf: Map<number, Set<number>>
  readonly times: ReadonlySet<number>
}

function* stretchesOf(refs: Uint32Array, times: Float64Array): Generator<Stretch> {
  const order = Uint32Array.from(refs, (_, i) => i).sort((a, b) => times[a] - times[b])
  let from = 0
  while (from < order.length) {
    const startMs = times[order[from]]
    const timesOf = new Map<number, Set<number>>()
    const all = new Set<number>()
    let to = from
    for (; to < order.length && times[order[to]] - startMs <= STRETCH_MS; to++) {
      const ref = refs[order[to]]
      all.add(times[order[to]])
      const noted = timesOf.get(ref)
      if (noted === undefined) timesOf.set(ref, new Set([times[order[to]]]))
      else noted.add(times[order[to]])
    }
    yield { startMs, endMs: times[order[to - 1]], timesOf, times: all }
    from = to
  }
}

/** The series with the noted samples alone. */
function only(series: BatchSeries, times: ReadonlySet<number>): BatchSeries {
  const kept: number[] = []
  for (let i = 0; i < series.timestampsMs.length; i++) if (times.has(series.timestampsMs[i])) kept.push(i)
  const values = new Float64Array(kept.length)
  if (kept.length === series.timestampsMs.length) return series
  kept.forEach((from, to) => {
    values.set(series.values.subarray(from, from + 1), to)
  })
  return {
    labels: series.labels,
    timestampsMs: Float64Array.from(kept, (i) => series.timestampsMs[i]),
    values,
    histogramAt: (index) => series.histogramAt(kept[index]),
  }
}

function copied<T extends Uint32Array | Float64Array>(from: T, into: T): T {
  into.set(from as never)
  return into
}
