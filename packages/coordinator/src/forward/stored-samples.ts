/**
 * Which samples were stored since the last look, as (series, time) in columns: the store tells these, and their values are
 * read from it afterwards, so that a write never waits for forwarding.
 *
 *     note … note → take → (queued) confirm
 *                        → (could not be queued) the next take begins with the same ones
 *
 * A series is known by its reference as long as the head has it. When it is evicted before its samples were queued, they are
 * kept under its labels.
 */
import type { Namespace } from '@varve/tsdb-core'
import type { Matchers } from '@varve/tsdb-core/query'
import { type BatchSeries, seriesOf } from '../remote-read/batch-series.js'

/** Above this, further samples are counted and not forwarded: the look comes too late. */
const NOTED_MAX = 4_000_000
/** Samples that are further apart are read separately, so that one old sample does not mean reading all since. */
const STRETCH_MS = 3_600_000
const MAX_MS = Number.MAX_SAFE_INTEGER

export class StoredSamples {
  #noted: Noted = emptyNoted()
  /** What `take` gave and nobody has confirmed. */
  #taken: Noted = emptyNoted()
  /** Times by the labels of series that were evicted since the last `take`, and of those that it gave. */
  #evicted: NotedByLabels = new Map()
  #evictedTaken: NotedByLabels = new Map()
  #stop: () => void
  missedCount = 0
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#stop = namespace.observe({
      samplesStored: (refs, times, count) => this.#note(refs, times, count),
      seriesEvicted: (refs) => this.#keep(refs),
    })
  }

  close(): void {
    this.#stop()
  }

  /** Reads what was noted, series by series. Only series that match one of `selectors`; empty: all. */
  async *take(selectors: readonly Matchers[]): AsyncGenerator<BatchSeries> {
    // What was not confirmed comes first, since it is older.
    if (this.#taken.count === 0) this.#taken = this.#noted
    else appendNoted(this.#taken, this.#noted.refs, this.#noted.timestampsMs, this.#noted.count)
    this.#noted = emptyNoted()
    for (const [key, times] of this.#evicted) {
      addTimes(this.#evictedTaken, key, times)
      appendNoted(this.#taken, new Uint32Array(times.length).fill(NO_REF), Float64Array.from(times), times.length)
    }
    this.#evicted = new Map()
    const wanted = selectors.length === 0 ? [ALL] : selectors
    // There the references told are of columns, and those read of series: windows are known by their ends alone.
    const isAggregated = this.#namespace.options.resolutionMs > 0
    for (const stretch of stretchesOf(this.#taken)) {
      const { startMs, endMs } = stretch
      const timesOf = isAggregated ? allTimes(stretch) : timesBySeries(stretch)
      const evicted = isAggregated ? NO_LABELS : this.#evictedTaken
      const seen = new Set<string>()
      for (const matchers of wanted) {
        const result = await this.#namespace.select({ matchers, startMs, endMs: endMs + 1, headRefs: true })
        for await (const batch of result.batches) {
          for (let i = 0; i < batch.seriesCount; i++) {
            const times = timesOf(batch.seriesRefs?.[i] ?? NO_REF)
            if (times.length === 0 && evicted.size === 0) continue
            const all = seriesOf(batch, result.symbols, i)
            const series = only(all, withTimes(times, evicted.get(all.labels.key)))
            if (series.values.length === 0) continue
            if (wanted.length > 1) {
              if (seen.has(series.labels.key)) continue
              seen.add(series.labels.key)
            }
            yield series
          }
        }
      }
    }
  }

  /** All that `take` gave is queued: it is forgotten. */
  confirm(): void {
    this.#taken = emptyNoted()
    this.#evictedTaken = new Map()
  }

  /** What was stored with times up to `ageMs` from now: it may have been stored and not forwarded. */
  async *recent(selectors: readonly Matchers[], nowMs: number, ageMs: number): AsyncGenerator<BatchSeries> {
    const seen = new Set<string>()
    for (const matchers of selectors.length === 0 ? [ALL] : selectors) {
      const result = await this.#namespace.select({
        matchers,
        startMs: Math.max(0, nowMs - ageMs),
        endMs: Math.min(MAX_MS, nowMs + ageMs),
      })
      for await (const batch of result.batches) {
        for (let i = 0; i < batch.seriesCount; i++) {
          const series = seriesOf(batch, result.symbols, i)
          if (selectors.length > 1) {
            if (seen.has(series.labels.key)) continue
            seen.add(series.labels.key)
          }
          yield series
        }
      }
    }
  }

  #note(refs: Uint32Array, times: Float64Array, count: number): void {
    if (this.#taken.count + this.#noted.count + count > NOTED_MAX) this.missedCount += count
    else appendNoted(this.#noted, refs, times, count)
  }

  /** Nothing is forgotten here: references are not given to others, and an old one finds nothing. */
  #keep(evictedRefs: Uint32Array): void {
    if (this.#namespace.options.resolutionMs > 0) return
    const gone = new Map<number, string | undefined>()
    for (const ref of evictedRefs) gone.set(ref, undefined)
    for (const { refs, timestampsMs, count } of [this.#taken, this.#noted]) {
      for (let i = 0; i < count; i++) {
        if (!gone.has(refs[i])) continue
        const key = gone.get(refs[i]) ?? this.#namespace.labelsOf(refs[i])?.key
        if (key === undefined) continue
        gone.set(refs[i], key)
        addTimes(this.#evicted, key, [timestampsMs[i]])
      }
    }
  }
}

/** No series has it: only sealed blocks have samples of this one. */
const NO_REF = 0
type NotedByLabels = Map<string, number[]>
const NO_LABELS: NotedByLabels = new Map()

function addTimes(byLabels: NotedByLabels, key: string, timesMs: readonly number[]): void {
  const known = byLabels.get(key)
  if (known === undefined) byLabels.set(key, [...timesMs])
  else for (const timeMs of timesMs) known.push(timeMs)
}

const ALL: Matchers = [{ name: '__name__', operator: '!=', value: '' }]

/** (series, time) of samples, in the order in which they were stored. */
interface Noted {
  refs: Uint32Array
  timestampsMs: Float64Array
  count: number
}

interface Stretch {
  readonly startMs: number
  /** Of its last sample. */
  readonly endMs: number
  readonly refs: Uint32Array
  readonly timestampsMs: Float64Array
}

function emptyNoted(): Noted {
  return { refs: new Uint32Array(1024), timestampsMs: new Float64Array(1024), count: 0 }
}

function appendNoted(noted: Noted, refs: Uint32Array, times: Float64Array, count: number): void {
  if (noted.count + count > noted.refs.length) {
    const capacity = Math.max(noted.refs.length * 2, noted.count + count)
    noted.refs = copied(noted.refs, new Uint32Array(capacity))
    noted.timestampsMs = copied(noted.timestampsMs, new Float64Array(capacity))
  }
  noted.refs.set(refs.subarray(0, count), noted.count)
  noted.timestampsMs.set(times.subarray(0, count), noted.count)
  noted.count += count
}

/** Samples by hours of the clock, the earliest first. */
function* stretchesOf({ refs, timestampsMs, count }: Noted): Generator<Stretch> {
  const hours = new Map<number, { hour: number; size: number; end: number }>()
  const places: { hour: number; size: number; end: number }[] = []
  let place = { hour: NaN, size: 0, end: 0 }
  const placeOf = (hour: number) => {
    if (hour === place.hour) return place
    place = hours.get(hour) ?? { hour, size: 0, end: 0 }
    if (place.size === 0) {
      hours.set(hour, place)
      places.push(place)
    }
    return place
  }
  for (let i = 0; i < count; i++) placeOf(Math.floor(timestampsMs[i] / STRETCH_MS)).size++
  places.sort((a, b) => a.hour - b.hour)
  places.reduce((start, each) => {
    each.end = start
    return start + each.size
  }, 0)
  const sortedRefs = new Uint32Array(count)
  const sortedMs = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    const at = placeOf(Math.floor(timestampsMs[i] / STRETCH_MS)).end++
    sortedRefs[at] = refs[i]
    sortedMs[at] = timestampsMs[i]
  }
  for (const { size, end } of places) {
    const own = { refs: sortedRefs.subarray(end - size, end), timestampsMs: sortedMs.subarray(end - size, end) }
    let startMs = Infinity
    let endMs = -Infinity
    for (const timeMs of own.timestampsMs) {
      if (timeMs < startMs) startMs = timeMs
      if (timeMs > endMs) endMs = timeMs
    }
    yield { startMs, endMs, ...own }
  }
}

/** The noted times of a series, rising: by one counting sort, since references are small numbers without wide gaps. */
function timesBySeries({ refs, timestampsMs }: Stretch): (ref: number) => Float64Array {
  let refMax = 0
  for (let i = 0; i < refs.length; i++) if (refs[i] > refMax) refMax = refs[i]
  const ends = new Uint32Array(refMax + 2)
  for (let i = 0; i < refs.length; i++) ends[refs[i] + 1]++
  for (let ref = 0; ref <= refMax; ref++) ends[ref + 1] += ends[ref]
  // From here on `ends[ref]` moves from the start of the run to its end.
  const sorted = new Float64Array(refs.length)
  for (let i = 0; i < refs.length; i++) sorted[ends[refs[i]]++] = timestampsMs[i]
  return (ref) => {
    if (ref > refMax || ref === NO_REF) return NONE
    return inOrder(sorted.subarray(ends[ref - 1], ends[ref]))
  }
}

function allTimes({ timestampsMs }: Stretch): () => Float64Array {
  const all = Float64Array.from(new Set(timestampsMs)).sort()
  return () => all
}

const NONE = new Float64Array(0)

function withTimes(times: Float64Array, more: readonly number[] | undefined): Float64Array {
  if (more === undefined) return times
  const both = new Float64Array(times.length + more.length)
  both.set(times)
  both.set(more, times.length)
  return both.sort()
}

/** Samples of a series are mostly stored in their order. */
function inOrder(times: Float64Array): Float64Array {
  for (let i = 1; i < times.length; i++) if (times[i] < times[i - 1]) return times.sort()
  return times
}

/** The series with the noted samples alone. Both have their times rising. */
function only(series: BatchSeries, times: Float64Array): BatchSeries {
  const { timestampsMs } = series
  const kept: number[] = []
  for (let i = 0, t = 0; i < timestampsMs.length; i++) {
    while (t < times.length && times[t] < timestampsMs[i]) t++
    if (t < times.length && times[t] === timestampsMs[i]) kept.push(i)
  }
  if (kept.length === timestampsMs.length) return series
  const values = new Float64Array(kept.length)
  kept.forEach((from, to) => {
    values.set(series.values.subarray(from, from + 1), to)
  })
  return {
    labels: series.labels,
    timestampsMs: Float64Array.from(kept, (i) => timestampsMs[i]),
    values,
    histogramAt: (index) => series.histogramAt(kept[index]),
  }
}

function copied<T extends Uint32Array | Float64Array>(from: T, into: T): T {
  into.set(from as never)
  return into
}
