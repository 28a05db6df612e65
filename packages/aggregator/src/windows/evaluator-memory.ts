/**
 * What an evaluator remembers between two windows: the last sample of each member, references of outputs, which series are new.
 *
 * All of it is found again in what is stored: `forget` loses nothing.
 */
import type { Namespace } from '@varve/tsdb-core'
import type { HistogramState } from './histogram-scan.js'
import { UsedMembers } from './hot-window.js'
import { MemberStates } from './member-states.js'
import type { WindowPlan } from './plan.js'
import { OutputSlots } from './row-writer.js'
import { LOOKBACK_MS, noState } from './series-scan.js'

/** Batches of new series that are kept for a plan. */
const CREATED_MAX = 10_000

export class EvaluatorMemory {
  readonly memberSlots = new OutputSlots()
  readonly groupSlots = new OutputSlots()
  /** State of each member at `#hotEndMs`. */
  readonly states = new MemberStates()
  readonly used = new UsedMembers()
  /** Series that are new in the head, and not matched yet; null: all of the head's series are to be looked at. */
  #created: Uint32Array[] | null = null
  /** The end of the last window that was computed in order; `NaN`: nothing is remembered. */
  #hotEndMs = Number.NaN
  /** The run that is under way; `fromMs` is the end of the window before it, if states are kept for the window after it. */
  #run: { readonly fromMs: number | null } | null = null
  #lostInRun = false
  /** Members whose state has to be looked up, whether they have samples in the next window or not. */
  readonly #forgotten = new Set<number>()
  /** The last native histogram of the members that have some. */
  readonly histogramStates = new Map<number, HistogramState>()
  #seen: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  #epoch = 0

  readonly #raw: Namespace
  readonly #plan: WindowPlan

  constructor(raw: Namespace, plan: WindowPlan) {
    this.#raw = raw
    this.#plan = plan
  }

  /** Forgets what it remembers: the next window is computed from what is stored alone. */
  forget(): void {
    this.#hotEndMs = Number.NaN
    this.#lostInRun = true
  }

  /**
   * A run begins: nobody was seen in it. `fromMs` is the end of the window before it, if it keeps states for the one after it:
   * until `endRun` there are none then, so that a run that fails leaves none.
   */
  beginRun(fromMs: number | null): void {
    if (fromMs !== null) this.#hotEndMs = Number.NaN
    this.#run = { fromMs }
    this.#lostInRun = false
    this.#epoch++
  }

  /** The run was about to read a series that left the head meanwhile. */
  noteLost(): void {
    this.#lostInRun = true
  }

  /** A series that the run needs left the head meanwhile: what it had to write may be missing. */
  get lostInRun(): boolean {
    return this.#lostInRun
  }

  /** The state at `hotEndMs` is remembered from now on. */
  endRun(hotEndMs: number | null): void {
    this.#run = null
    if (hotEndMs !== null) this.#hotEndMs = hotEndMs
  }

  /** Series of which a sample came late: their last sample is looked up again. */
  forgetSeries(seriesRefs: Iterable<number>): void {
    for (const ref of seriesRefs) {
      const member = this.#plan.memberOf(ref)
      if (this.histogramStates.delete(member)) this.#forgotten.add(member)
      if (this.states.forget(member)) this.#forgotten.add(member)
    }
  }

  /**
   * Series that left the head: the state of one that lives is not found by its next reference. Whether it has ended in the
   * next window is to be read from what is stored.
   */
  seriesEvicted(seriesRefs: Uint32Array, resolutionMs: number): void {
    const state = noState()
    for (const ref of seriesRefs) {
      const member = this.#plan.memberOf(ref)
      if (member < 0) continue
      const histogram = this.histogramStates.get(member)
      const valueMs = Math.max(
        this.states.read(member, state) ? state.valueMs : -Infinity,
        histogram?.valueMs ?? -Infinity,
      )
      // By the longer of the two times, whatever markers there are: to forget once more is only slow.
      if (this.#run !== null && this.wasSeen(member)) this.#lostInRun = true
      const fromMs = this.#run?.fromMs ?? this.#hotEndMs
      if (this.#forgotten.has(member) || valueMs > fromMs - Math.max(resolutionMs, LOOKBACK_MS)) {
        this.forget()
        return
      }
    }
  }

  /** Series that are new in the head. */
  seriesCreated(seriesRefs: Uint32Array): void {
    if (this.#created === null) return
    // Plans of past rules are rarely asked: they look at all series then.
    if (this.#created.length >= CREATED_MAX) this.#created = null
    else this.#created.push(seriesRefs.slice())
  }

  /** References of series that the plan may not know yet; all of the head's at first. */
  takeCreated(): readonly Uint32Array[] {
    const created = this.#created ?? [this.#raw.headSeries()]
    this.#created = []
    return created
  }

  /** Whether the state at `endMs` is remembered. */
  isHotAt(endMs: number): boolean {
    return this.#hotEndMs === endMs
  }

  clearStates(): void {
    this.states.clear()
    this.histogramStates.clear()
    this.#forgotten.clear()
  }

  /** Members whose state is to be looked up now; forgotten once told. */
  takeForgotten(): ReadonlySet<number> {
    const forgotten = new Set(this.#forgotten)
    this.#forgotten.clear()
    return forgotten
  }

  /** Marks a member as seen in this run; false: it was already. */
  see(member: number): boolean {
    if (member >= this.#seen.length) {
      const larger = new Uint32Array(Math.max(this.#seen.length * 2, member + 1))
      larger.set(this.#seen)
      this.#seen = larger
    }
    if (this.#seen[member] === this.#epoch) return false
    this.#seen[member] = this.#epoch
    return true
  }

  wasSeen(member: number): boolean {
    return member < this.#seen.length && this.#seen[member] === this.#epoch
  }
}
