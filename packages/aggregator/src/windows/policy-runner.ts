/**
 * Computes the windows of one storage policy, in order as they end, and again where a late sample fell into them.
 *
 *     watermark: all windows up to here were computed and committed
 *     closing:   the window that is being computed; a sample at or before it is late from now on
 */
import { LATE_MARK, type Namespace, type Watermark } from '@varve/tsdb-core'
import type { Clock } from '@varve/tsdb-core/env'
import { type Labels, type Matcher, METRIC_NAME } from '@varve/tsdb-core/model'
import type { DropFacts } from '../drops/raw-drops.js'
import type { MetadataLookup } from '../matcher/metric-type.js'
import type { Rule } from '../rules/rule.js'
import type { RuleBook } from '../rules/rule-book.js'
import { type StoragePolicy, windowEndOf } from '../rules/storage-policy.js'
import { type DirtyRun, DirtyWindows, forgetEvicted } from './dirty-windows.js'
import { type Evaluation, Evaluator } from './evaluator.js'
import { hideOutputs } from './hide-outputs.js'
import { WindowPlan } from './plan.js'
import { ReferenceChanges } from './reference-changes.js'
import { findSamplesAfter, gatherSilentAfter } from './sample-before.js'
import { COUNTER_LOOKBACK_MS, LOOKBACK_MS } from './series-scan.js'

/** Windows that are computed by one pass over the samples, when there are many to catch up with. */
const WINDOWS_PER_RUN = 32
/** Watermarks that are remembered with their times. */
const PASSED_MAX = 1000
/** The first window of a coarser policy is not waited for. */
const WARM_RESOLUTION_MS_MAX = 3_600_000
/** Plans of past rules that are kept for late samples. */
const PLANS_MAX = 4

export interface PolicyRunnerOptions {
  readonly policy: StoragePolicy
  readonly raw: Namespace
  readonly target: Namespace
  readonly clock: Clock
  readonly book: () => RuleBook
  readonly metadata: MetadataLookup
  readonly graceMs: number
  /** Null: no window was computed yet. */
  readonly watermarkMs: number
  readonly onProblem: (rule: Rule, message: string) => void
  /** Windows that end later are not to be computed now: see `RuleFollower.holdAfterMs`. */
  readonly holdAfterMs: () => number
  /** Whether no late sample waits to be computed, in any policy: see `LATE_MARK`. */
  readonly isClean: () => boolean
  /** What is known of dropped raw samples. Absent: none are. */
  readonly drops?: () => DropFacts
  readonly signal: AbortSignal
}

export interface RunnerCounters {
  windowCount: number
  recomputedWindowCount: number
  rowCount: number
  readSampleCount: number
  lateSampleCount: number
  /** Late samples whose windows can no longer be computed, since raw samples of them have expired. */
  expiredWindowCount: number
  /** Rows that a late sample or a backfill would have changed, and whose raw samples were dropped meanwhile: they stay. */
  frozenRowCount: number
  computeMs: number
}

export class PolicyRunner {
  readonly policy: StoragePolicy
  readonly counters: RunnerCounters = {
    windowCount: 0,
    recomputedWindowCount: 0,
    rowCount: 0,
    readSampleCount: 0,
    lateSampleCount: 0,
    expiredWindowCount: 0,
    frozenRowCount: 0,
    computeMs: 0,
  }
  readonly #options: PolicyRunnerOptions
  readonly #dirty: DirtyWindows
  /** Those that are being computed. */
  #dirtyRuns: readonly DirtyRun[] = []
  /** While next samples are looked for of series that are not known by name. */
  #changes: ReferenceChanges | null = null
  #evaluators: { rules: readonly Rule[]; evaluator: Evaluator }[] = []
  #watermarkMs: number
  #closingMs: number
  /** Windows after this time are being computed again. */
  #computingAfterMs = Infinity
  #hasComputed = false
  /** When the watermark came to be what, on the monotonic clock, as long as `finalUntilMs` may ask for it. */
  readonly #passed: { watermarkMs: number; atMs: number }[]

  constructor(options: PolicyRunnerOptions) {
    this.#passed = [{ watermarkMs: options.watermarkMs, atMs: options.clock.monotonicMs() }]
    this.#options = options
    this.policy = options.policy
    this.#watermarkMs = options.watermarkMs
    this.#closingMs = options.watermarkMs
    this.#dirty = new DirtyWindows(options.policy.resolutionMs, LOOKBACK_MS)
  }

  get watermarkMs(): number {
    return this.#watermarkMs
  }

  /** A sample at or before this time is late. */
  get closingMs(): number {
    return this.#closingMs
  }

  get dirtyWindowCount(): number {
    return this.#dirty.size
  }

  /** End of the oldest window that is to be computed again; `Infinity` when there is none. */
  get oldestDirtyMs(): number {
    return this.#dirty.oldestMs
  }

  /**
   * All windows up to here were computed `holdMs` ago, by the monotonic clock, and none of them is to be computed again as
   * far as is known. `-Infinity` until the first one was computed since the start: only then it is known whether all rules
   * can do what they say.
   */
  finalUntilMs(holdMs: number): number {
    const { resolutionMs } = this.policy
    if (!this.#hasComputed && resolutionMs <= WARM_RESOLUTION_MS_MAX) return -Infinity
    const heldAfterMs = this.#options.clock.monotonicMs() - holdMs
    const passed = this.#passed.findLastIndex(({ atMs }) => atMs <= heldAfterMs)
    if (passed < 0) return -Infinity
    this.#passed.splice(0, passed)
    return Math.min(this.#passed[0].watermarkMs, this.#dirty.oldestMs - resolutionMs, this.#computingAfterMs)
  }

  get isDirty(): boolean {
    return this.#dirty.size > 0
  }

  /** When the next window is due, by the wall clock. */
  get nextDueMs(): number {
    return this.#watermarkMs + this.policy.resolutionMs + this.#options.graceMs
  }

  markLate(seriesRef: number, timestampMs: number): void {
    this.counters.lateSampleCount++
    this.#dirty.add(timestampMs, seriesRef)
  }

  /** All windows after a time are to be computed again, as far as they were computed. */
  markAll(afterMs: number): void {
    this.#dirty.addAll(Math.max(afterMs, this.#oldestComputableMs()), this.#watermarkMs)
  }

  seriesEvicted(seriesRefs: Uint32Array): void {
    this.#dirty.seriesEvicted(seriesRefs)
    forgetEvicted(this.#dirtyRuns, seriesRefs)
    this.#changes?.seriesEvicted(seriesRefs)
    for (const { evaluator } of this.#evaluators) evaluator.seriesEvicted(seriesRefs)
  }

  /** To be told of every series that is new in the head: windows are computed of those that are known. */
  seriesCreated(seriesRefs: Uint32Array): void {
    this.#changes?.seriesCreated(seriesRefs)
    for (const { evaluator } of this.#evaluators) evaluator.seriesCreated(seriesRefs)
  }

  /** How many series match each rule that writes here now. */
  matchedCounts(): ReadonlyMap<string, number> {
    return this.#evaluators[0]?.evaluator.plan.matchedCounts ?? new Map()
  }

  /** How many series and groups the plans know, those that are gone included until their plan is made anew. */
  planSize(): { readonly memberCount: number; readonly groupCount: number } {
    const plans = this.#evaluators.map(({ evaluator }) => evaluator.plan)
    return {
      memberCount: plans.reduce((sum, { memberCount }) => sum + memberCount, 0),
      groupCount: plans.reduce((sum, { groups }) => sum + groups.length, 0),
    }
  }

  /** Computes the windows that are due, at most one run of them. False: none is. */
  async computeDue(): Promise<boolean> {
    const { policy, clock, graceMs, signal } = this.#options
    const { resolutionMs } = policy
    const untilMs = Math.min(clock.wallMs() - graceMs, this.#options.holdAfterMs())
    const lastDueMs = Math.floor(untilMs / resolutionMs) * resolutionMs
    const oldestMs = Math.floor(this.#oldestComputableMs() / resolutionMs) * resolutionMs
    const firstEndMs = Math.max(this.#watermarkMs, oldestMs) + resolutionMs
    if (firstEndMs > lastDueMs) return false
    // Series that are gone leave with the plan that knew them; what windows still need of them is stored.
    this.#evaluators = this.#evaluators.filter(({ evaluator }) => !evaluator.isWorn)
    const { lastEndMs, evaluator } = this.#runFrom(firstEndMs, lastDueMs)
    const windowCount = (lastEndMs - firstEndMs) / resolutionMs + 1
    this.#closingMs = Math.max(this.#closingMs, lastEndMs)
    if (!evaluator.plan.isEmpty) {
      const watermark = watermarkOf(policy)
      // Samples that come late from here on stand behind this mark's predecessor in the log.
      const marks = this.#options.isClean() ? [{ policy: LATE_MARK, shard: 0, timestampMs: clock.wallMs() }] : []
      await this.#measured(() => evaluator.evaluate({ firstEndMs, windowCount, only: null, watermark, marks, signal }))
      this.counters.windowCount += windowCount
    }
    this.#watermarkMs = lastEndMs
    this.#hasComputed = true
    this.#passed.push({ watermarkMs: lastEndMs, atMs: clock.monotonicMs() })
    // Nobody asks where nothing is dropped: the older half is thinned out.
    if (this.#passed.length > PASSED_MAX) this.#passed.splice(1, PASSED_MAX / 2)
    return true
  }

  /** Computes dirty windows again. */
  async computeDirty(): Promise<void> {
    this.#computingAfterMs = this.#dirty.oldestMs - this.policy.resolutionMs
    const runs = this.#dirty.take(this.#watermarkMs)
    this.#dirtyRuns = runs
    try {
      for (let index = 0; index < runs.length; index++) {
        const { seriesRefs } = runs[index]
        try {
          await this.#recompute(runs[index])
          // Evicted meanwhile: nobody knows which of them were still found.
          if (runs[index].seriesRefs !== seriesRefs) this.#dirty.putBack(runs[index])
        } catch (error) {
          for (const run of runs.slice(index)) this.#dirty.putBack(run)
          throw error
        }
      }
    } finally {
      this.#dirtyRuns = []
      this.#computingAfterMs = Infinity
    }
  }

  /**
   * Computes the next windows in `(doneMs, untilMs]` by the rules of their time, and takes away what outputs of these names
   * have there otherwise. Returns up to where it is done.
   */
  async backfill(doneMs: number, untilMs: number, replacedNames: readonly string[]): Promise<number> {
    const { resolutionMs } = this.policy
    const lastMs = Math.floor(Math.min(untilMs, this.#watermarkMs) / resolutionMs) * resolutionMs
    const firstEndMs = windowEndOf(Math.max(doneMs, this.#oldestComputableMs()) + 1, resolutionMs)
    if (firstEndMs > lastMs) return untilMs
    const { lastEndMs, evaluator } = this.#runFrom(firstEndMs, lastMs)
    const windowCount = (lastEndMs - firstEndMs) / resolutionMs + 1
    this.#computingAfterMs = firstEndMs - resolutionMs
    try {
      const names = replacedNames.filter((name) => !this.#isFrozenName(name, firstEndMs - resolutionMs, lastEndMs))
      if (names.length > 0) await hideOutputs(this.#options.target, names, firstEndMs, lastEndMs)
      if (!evaluator.plan.isEmpty) {
        const request = { firstEndMs, windowCount, only: null, watermark: null, signal: this.#options.signal }
        await this.#measured(() => evaluator.evaluate(request))
        this.counters.recomputedWindowCount += windowCount
      }
    } finally {
      this.#computingAfterMs = Infinity
    }
    return lastEndMs >= lastMs ? untilMs : lastEndMs
  }

  /** Whether outputs of this name may have been made of raw samples that are dropped meanwhile. */
  #isFrozenName(nameTemplate: string, afterMs: number, untilMs: number): boolean {
    const facts = this.#options.drops?.()
    if (facts === undefined || afterMs >= facts.droppedUntilMs) return false
    const rules = this.#options.book().entries()
    return rules.some(({ versions }) =>
      versions.some(
        ({ rule }) =>
          rule?.kind === 'rollup' &&
          rule.outputs.some((output) => output.nameTemplate === nameTemplate) &&
          (rule.input !== null || facts.history.mayDrop(rule.match, afterMs, untilMs)),
      ),
    )
  }

  /** Leaves everything that is remembered: the next windows are computed from what is stored alone. */
  forget(): void {
    for (const { evaluator } of this.#evaluators) evaluator.forget()
  }

  async #recompute(run: DirtyRun): Promise<void> {
    const { resolutionMs } = this.policy
    const { signal } = this.#options
    const oldestMs = this.#oldestComputableMs()
    let endMs = run.firstEndMs
    while (endMs <= run.lastEndMs) {
      if (endMs - resolutionMs < oldestMs) {
        // Part of its samples has expired: what was computed while they were there is better than what could be now.
        this.counters.expiredWindowCount++
        endMs += resolutionMs
        continue
      }
      const { lastEndMs, evaluator } = this.#runFrom(endMs, run.lastEndMs)
      const windowCount = (lastEndMs - endMs) / resolutionMs + 1
      if (!evaluator.plan.isEmpty) {
        const only = run.seriesRefs ?? ALL_SERIES
        const request = { firstEndMs: endMs, windowCount, only, watermark: null, signal }
        await this.#measured(() => evaluator.evaluate(request))
        this.counters.recomputedWindowCount += windowCount
      }
      endMs = lastEndMs + resolutionMs
    }
    if (run.seriesRefs === null) this.forget()
    else for (const { evaluator } of this.#evaluators) evaluator.forgetSeries(run.seriesRefs)
    await this.#markNextSamples(run)
  }

  /** A counter's growth to its next sample begins at the late one: the window of that sample is wrong too. */
  async #markNextSamples(run: DirtyRun): Promise<void> {
    if (run.lastEndMs >= this.#watermarkMs) return
    const { raw } = this.#options
    if (run.seriesRefs !== null) {
      const late = new Map<number, Labels>()
      for (const seriesRef of run.seriesRefs) {
        const labels = raw.labelsOf(seriesRef)
        if (labels) late.set(seriesRef, labels)
      }
      await this.#computeNextSamples(run, late)
      return
    }
    // Which series were late is not known: of those with samples there, most have one again within the run.
    const changes = new ReferenceChanges()
    this.#changes = changes
    try {
      const late = new Map<number, Labels>()
      const range = {
        afterMs: run.firstEndMs - this.policy.resolutionMs,
        lateMs: run.lastLateEndMs,
        untilMs: run.lastEndMs,
      }
      const plans = this.#evaluators.map(({ evaluator }) => evaluator.plan)
      const selectors = this.#areSameRules(run) ? new Set(plans.flatMap((plan) => plan.selectors())) : [EVERY_SERIES]
      const pause = async () => {
        await this.#options.clock.yield()
        this.#options.signal.throwIfAborted()
      }
      const isComplete = await gatherSilentAfter(raw, selectors, range, pause, late)
      await this.#computeNextSamples(run, late)
      if (!isComplete || changes.concern(raw, late)) this.#dirty.putBack(run)
    } finally {
      this.#changes = null
    }
  }

  /** Computes the windows of the next samples after the run. */
  async #computeNextSamples(run: DirtyRun, late: ReadonlyMap<number, Labels>): Promise<void> {
    const { raw } = this.#options
    const areSameRules = this.#areSameRules(run)
    const wanted: { seriesRef: number; labels: Labels }[] = []
    for (const [seriesRef, labels] of late) {
      if (!areSameRules || this.#mayNeedIncrease(seriesRef)) wanted.push({ seriesRef, labels })
    }
    if (wanted.length === 0) return
    const { resolutionMs } = this.policy
    const untilMs = this.#lastNextMs(run)
    const found = await findSamplesAfter(raw, wanted, run.lastEndMs, untilMs)
    const byWindow = new Map<number, Set<number>>()
    for (const [seriesRef, timeMs] of found) {
      const endMs = windowEndOf(timeMs, resolutionMs)
      const refs = byWindow.get(endMs)
      if (refs) refs.add(seriesRef)
      else byWindow.set(endMs, new Set([seriesRef]))
    }
    for (const [endMs, seriesRefs] of byWindow) {
      const { evaluator } = this.#runFrom(endMs, endMs)
      if (evaluator.plan.isEmpty) continue
      const request = {
        firstEndMs: endMs,
        windowCount: 1,
        only: seriesRefs,
        watermark: null,
        signal: this.#options.signal,
      }
      await this.#measured(() => evaluator.evaluate(request))
      this.counters.recomputedWindowCount++
    }
  }

  /** The next sample whose growth begins in the run is not later. */
  #lastNextMs(run: DirtyRun): number {
    return Math.min(this.#watermarkMs, run.lastEndMs + COUNTER_LOOKBACK_MS)
  }

  /** Whether the rules of the run hold up to the next samples: else growth may count there that does not in the run. */
  #areSameRules(run: DirtyRun): boolean {
    const untilMs = this.#lastNextMs(run)
    const boundariesMs = this.#options.book().boundariesMs()
    return !boundariesMs.some((timeMs) => timeMs >= run.firstEndMs && timeMs < untilMs)
  }

  #mayNeedIncrease(seriesRef: number): boolean {
    const plans = this.#evaluators.map(({ evaluator }) => evaluator.plan)
    const known = plans.filter((plan) => plan.memberOf(seriesRef) >= 0)
    return known.length === 0 || known.some((plan) => plan.needsIncrease(plan.memberOf(seriesRef)))
  }

  async #measured(evaluate: () => Promise<Evaluation>): Promise<Evaluation> {
    const startMs = this.#options.clock.monotonicMs()
    const evaluation = await evaluate()
    this.counters.computeMs += this.#options.clock.monotonicMs() - startMs
    this.counters.rowCount += evaluation.rowCount
    this.counters.readSampleCount += evaluation.readSampleCount
    this.counters.frozenRowCount += evaluation.frozenRowCount
    return evaluation
  }

  /** Windows that can be computed together: the same rules hold for all of them. */
  #runFrom(firstEndMs: number, lastEndMs: number): { lastEndMs: number; evaluator: Evaluator } {
    const { resolutionMs } = this.policy
    const book = this.#options.book()
    const boundaryMs = book.boundariesMs().find((timeMs) => timeMs >= firstEndMs) ?? Infinity
    const lastOfRulesMs = Math.floor(boundaryMs / resolutionMs) * resolutionMs
    const lastOfRunMs = firstEndMs + (WINDOWS_PER_RUN - 1) * resolutionMs
    return { lastEndMs: Math.min(lastEndMs, lastOfRunMs, lastOfRulesMs), evaluator: this.#evaluatorFor(firstEndMs) }
  }

  #evaluatorFor(windowEndMs: number): Evaluator {
    const { policy, raw, target, clock, metadata, onProblem, drops } = this.#options
    const rules = this.#options
      .book()
      .rulesAt(windowEndMs)
      .filter((rule) => (rule.kind === 'mapping' ? writesTo(rule, policy) : rule.kind === 'rollup'))
    const index = this.#evaluators.findIndex((known) => sameRules(known.rules, rules))
    const [known] = index >= 0 ? this.#evaluators.splice(index, 1) : []
    const entry = known ?? {
      rules,
      evaluator: new Evaluator({
        raw,
        target,
        clock,
        resolutionMs: policy.resolutionMs,
        ...(drops && { drops }),
        plan: new WindowPlan({ namespace: policy.namespace, rules, metadata, onProblem }),
      }),
    }
    this.#evaluators.unshift(entry)
    this.#evaluators.length = Math.min(this.#evaluators.length, PLANS_MAX)
    return entry.evaluator
  }

  /** Windows that begin before this time have lost raw samples. */
  #oldestComputableMs(): number {
    const { raw, clock } = this.#options
    return clock.wallMs() - raw.options.retentionMs
  }
}

/** Stands for every series. */
const ALL_SERIES: ReadonlySet<number> = Object.assign(new Set<number>(), { has: () => true })

const EVERY_SERIES: readonly Matcher[] = [{ name: METRIC_NAME, operator: '!=', value: '' }]

function watermarkOf(policy: StoragePolicy): Omit<Watermark, 'timestampMs'> {
  return { policy: policy.namespace, shard: 0 }
}

function writesTo(rule: { readonly policies: readonly StoragePolicy[] }, policy: StoragePolicy): boolean {
  return rule.policies.some(({ namespace }) => namespace === policy.namespace)
}

function sameRules(a: readonly Rule[], b: readonly Rule[]): boolean {
  return a.length === b.length && a.every((rule, index) => rule === b[index])
}
