/**
 * Windows to be computed again, since a sample came for them after they were computed: by window end, the series it came for.
 */
import { windowEndOf } from '../rules/storage-policy.js'

/** More series than this for one window are not told apart: all outputs of the window are computed. */
const SERIES_PER_WINDOW_MAX = 50_000

export interface DirtyRun {
  /** Contiguous windows. */
  readonly firstEndMs: number
  readonly lastEndMs: number
  /** End of the last window that a sample came late for; those after it are what it may reach. */
  readonly lastLateEndMs: number
  /** Null: all series. */
  seriesRefs: ReadonlySet<number> | null
}

/** What is known of these references only is not known any more: all series stand in for them. */
export function forgetEvicted(runs: readonly DirtyRun[], seriesRefs: Uint32Array): void {
  for (const run of runs) {
    const { seriesRefs: own } = run
    if (own !== null && seriesRefs.some((ref) => own.has(ref))) run.seriesRefs = null
  }
}

export class DirtyWindows {
  readonly #resolutionMs: number
  /** Windows after a late sample that it may change too, by ending or reviving an output. */
  readonly #reachMs: number
  readonly #windows = new Map<number, Set<number> | null>()

  constructor(resolutionMs: number, reachMs: number) {
    this.#resolutionMs = resolutionMs
    this.#reachMs = Math.ceil(reachMs / resolutionMs) * resolutionMs
  }

  get size(): number {
    return this.#windows.size
  }

  /** End of the oldest dirty window, `Infinity` when there is none. */
  get oldestMs(): number {
    let oldestMs = Infinity
    for (const endMs of this.#windows.keys()) oldestMs = Math.min(oldestMs, endMs)
    return oldestMs
  }

  add(timestampMs: number, seriesRef: number): void {
    this.addWindow(windowEndOf(timestampMs, this.#resolutionMs), seriesRef)
  }

  addWindow(endMs: number, seriesRef: number): void {
    const refs = this.#windows.get(endMs)
    if (refs === null) return
    if (refs === undefined) this.#windows.set(endMs, new Set([seriesRef]))
    else if (refs.size < SERIES_PER_WINDOW_MAX || refs.has(seriesRef)) refs.add(seriesRef)
    else this.#windows.set(endMs, null)
  }

  /** These series may be found under another reference from now on, or none. */
  seriesEvicted(seriesRefs: Uint32Array): void {
    for (const [endMs, refs] of this.#windows) {
      if (refs !== null && seriesRefs.some((ref) => refs.has(ref))) this.#windows.set(endMs, null)
    }
  }

  /** All series, of all windows that end in `(afterMs, lastEndMs]`. */
  addAll(afterMs: number, lastEndMs: number): void {
    const firstEndMs = windowEndOf(afterMs + 1, this.#resolutionMs)
    for (let endMs = firstEndMs; endMs <= lastEndMs; endMs += this.#resolutionMs) this.#windows.set(endMs, null)
  }

  /** Takes all of them out, as runs of windows with what each may reach, none after `lastEndMs`. */
  take(lastEndMs: number): DirtyRun[] {
    const ends = [...this.#windows.keys()].sort((a, b) => a - b)
    const runs: {
      firstEndMs: number
      lastEndMs: number
      lastLateEndMs: number
      seriesRefs: Set<number> | null
    }[] = []
    for (const endMs of ends) {
      if (endMs > lastEndMs) continue // Not computed yet: its time comes.
      const refs = this.#windows.get(endMs)!
      const reachEndMs = Math.min(lastEndMs, endMs + this.#reachMs)
      const run = runs.at(-1)
      if (run && endMs <= run.lastEndMs + this.#resolutionMs) {
        run.lastEndMs = Math.max(run.lastEndMs, reachEndMs)
        run.lastLateEndMs = endMs
        if (refs === null) run.seriesRefs = null
        else for (const ref of refs) run.seriesRefs?.add(ref)
      } else {
        const seriesRefs = refs === null ? null : new Set(refs)
        runs.push({ firstEndMs: endMs, lastEndMs: reachEndMs, lastLateEndMs: endMs, seriesRefs })
      }
    }
    this.#windows.clear()
    return runs
  }

  /** Puts back what could not be computed. */
  putBack(run: DirtyRun): void {
    for (let endMs = run.firstEndMs; endMs <= run.lastEndMs; endMs += this.#resolutionMs) {
      if (run.seriesRefs === null) this.#windows.set(endMs, null)
      else for (const ref of run.seriesRefs) this.addWindow(endMs, ref)
    }
  }
}
