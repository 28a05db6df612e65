/**
 * Series that have the same runs as one before them: those of one scrape mostly do. Of such a series only the runs' handles are
 * looked up, and compared; nothing is collected or planned.
 */
import type { PieceList } from './piece-list.js'
import type { RunPattern, SampleSource, SeriesEntries } from './sample-source.js'

/** What a series was like. Of several sources, only the series of the same ones are alike. */
export interface Likeness<Plan> {
  readonly plan: Plan
  /** Of the series' entries, one after the other, and the clips of their runs. */
  readonly sources: readonly number[]
  readonly patterns: readonly RunPattern[]
  readonly clips: readonly Uint32Array[]
}

export class AlikeSeries<Plan> {
  readonly #sources: readonly SampleSource[]
  readonly #startMs: number
  readonly #endMs: number
  /** By `patternKey` of the first entry: what the second series with it was like; of the first alone nobody gains. */
  readonly #known = new Map<number, Likeness<Plan> | undefined>()
  readonly #seen = new Set<number>()

  constructor(sources: readonly SampleSource[], startMs: number, endMs: number) {
    this.#sources = sources
    this.#startMs = startMs
    this.#endMs = endMs
  }

  /** Time columns are others from now on. */
  clear(): void {
    this.#known.clear()
    this.#seen.clear()
  }

  /** What the series with entries `[from, to)` is like, if that is known. */
  find({ sources, series }: SeriesEntries, from: number, to: number): Likeness<Plan> | undefined {
    const key = this.#sources[sources[from]].patternKey?.(series[from])
    const likeness = key === undefined ? undefined : this.#known.get(key)
    if (likeness === undefined || likeness.sources.length !== to - from) return undefined
    for (let k = from; k < to; k++) {
      const source = sources[k]
      if (source !== likeness.sources[k - from]) return undefined
      const pattern = likeness.patterns[k - from]
      if (!this.#sources[source].isLike?.(series[k], pattern, this.#startMs, this.#endMs)) return undefined
    }
    return likeness
  }

  /** Queues the values of the series that `find` was asked for last, to stand at `outAt`; returns where they end. */
  queue({ sources, patterns, clips }: Likeness<Plan>, outAt: number): number {
    let at = outAt
    for (let k = 0; k < sources.length; k++) {
      at = this.#sources[sources[k]].queueLike?.(patterns[k], clips[k], at) ?? at
    }
    return at
  }

  /** Keeps what a series was like, for those behind it. `pieces`: its runs, in order; run i is clipped to `clips[2i], clips[2i + 1]`. */
  note(entries: SeriesEntries, from: number, to: number, pieces: PieceList, clips: Uint32Array, plan: Plan): void {
    const key = this.#sources[entries.sources[from]].patternKey?.(entries.series[from])
    if (key === undefined || this.#known.has(key)) return
    if (this.#seen.has(key)) this.#known.set(key, this.#likenessOf(entries, from, to, pieces, clips, plan))
    else this.#seen.add(key)
  }

  #likenessOf(
    entries: SeriesEntries,
    from: number,
    to: number,
    pieces: PieceList,
    clips: Uint32Array,
    plan: Plan,
  ): Likeness<Plan> | undefined {
    const likeness = { plan, sources: [] as number[], patterns: [] as RunPattern[], clips: [] as Uint32Array[] }
    let run = 0
    for (let k = from; k < to; k++) {
      const source = entries.sources[k]
      const pattern = this.#sources[source].patternOf?.(entries.series[k], this.#startMs, this.#endMs)
      if (pattern === undefined) return undefined
      const first = run
      run += pattern.columns.length + (pattern.row >= 0 ? 1 : 0)
      // The runs of a block lie together, and in the order of the entries, unless they had to be sorted.
      for (let i = first; i < run; i++) if (pieces.sources[i] !== source) return undefined
      likeness.sources.push(source)
      likeness.patterns.push(pattern)
      likeness.clips.push(clips.slice(first * 2, run * 2))
    }
    return run === pieces.length ? likeness : undefined
  }
}
