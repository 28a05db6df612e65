/**
 * Rollups over a database: follows the rules, computes windows as they end and again when samples come late.
 *
 * One loop does it all, one thing after the other, so nothing is computed by two at once. It waits for the next window, a
 * change of the rules or a late sample, and what fails is tried again: windows are functions of stored samples.
 */
import { type Database, DROP_MARK, LATE_MARK, type Namespace } from '@varve/tsdb-core'
import { type Env, sleep } from '@varve/tsdb-core/env'
import type { Labels } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'
import { DropHistory } from './drops/drop-history.js'
import { DROP_HOLD_MS, RawDrops } from './drops/raw-drops.js'
import { AggregatorError, messageOf } from './errors.js'
import type { MetadataLookup } from './matcher/metric-type.js'
import { ResolutionPlanner } from './planner/resolution-planner.js'
import { type RuleKnowledge, ruleKnowledge } from './planner/rule-knowledge.js'
import { RuleProblems } from './rule-problems.js'
import { problemText } from './rules/document-text.js'
import { firstSeenOf, policiesOf } from './rules/policies-of-book.js'
import type { NamespaceRule, Rule, RuleKind } from './rules/rule.js'
import { RuleBook, type RuleChange, type RuleVersion } from './rules/rule-book.js'
import { readRule } from './rules/rule-reader.js'
import { type StoragePolicy, windowEndOf } from './rules/storage-policy.js'
import { type AggregatorStatus, latenessMsOf, ruleStates } from './status.js'
import { RuleFollower } from './stores/rule-follower.js'
import { type RuleId, type RuleStore, ruleIdText } from './stores/rule-store.js'
import { type DryRun, dryRun } from './tools/dry-run.js'
import { type Explanation, explainSeries } from './tools/explain.js'
import { BackfillQueue } from './windows/backfill-queue.js'
import { PolicyRunner } from './windows/policy-runner.js'

export interface AggregatorOptions {
  readonly database: Database
  readonly env: Env
  readonly store: RuleStore
  /** A folder for the last known rules and the state of backfills; absent: nothing is kept over a restart. */
  readonly stateDirectory?: string
  /** What senders said of a metric's type, by metric name. */
  readonly metadata?: MetadataLookup
  /**
   * How long after its end a window is computed. Default: a quarter of the resolution, at least 0.5 s and at most 15 s.
   * Samples that come later are not lost: their windows are computed again.
   */
  readonly graceMs?: (resolutionMs: number) => number
  /**
   * Raw samples that a drop rule does not want kept stay for so long after the end of their windows: late ones are rolled up
   * until then. Default: 15 minutes.
   */
  readonly dropHoldMs?: number
  /** How often the rules are listed though nothing was told to have changed. Default: one minute. */
  readonly relistMs?: number
  /** Told what an operator should read. Default: nothing. */
  readonly onNotice?: (severity: 'info' | 'warning' | 'error', message: string) => void
}

/** Late samples come in batches: their windows are computed this much after the first. */
const LATE_DELAY_MS = 1000
const RETRY_MS = 1000
/** The loop looks at the clock at least this often, since the clock may jump. */
const WAIT_MS_MAX = 10_000

export class Aggregator {
  readonly #options: AggregatorOptions
  readonly #env: Env
  readonly #raw: Namespace
  readonly #follower: RuleFollower
  readonly #runners = new Map<string, PolicyRunner>()
  readonly #stop = new AbortController()
  readonly #problems: RuleProblems
  #loop: Promise<void> | null = null
  #unobserve: (() => void) | null = null
  /** The newest `closingMs` of all runners: what is later than it is late nowhere. */
  #closingMsMax = -Infinity
  #lateSinceMs = Infinity
  #isComputingLate = false
  #wake: (() => void) | null = null
  #rulesChanged = true
  #isApplyingRules = false
  #error: string | null = null
  readonly #backfills: BackfillQueue
  #rejectedCount = 0
  readonly #drops: RawDrops
  #dropHistory: { book: RuleBook | null; history: DropHistory } = {
    book: null,
    history: new DropHistory(new RuleBook()),
  }
  #knowledge: { book: RuleBook | null; rules: RuleKnowledge } = { book: null, rules: ruleKnowledge(new RuleBook()) }

  constructor(options: AggregatorOptions) {
    this.#options = options
    this.#env = options.env
    this.#raw = options.database.namespace('default')
    this.#follower = new RuleFollower({
      env: options.env,
      store: options.store,
      ...(options.stateDirectory !== undefined && { statePath: `${options.stateDirectory}/rules.msgpack` }),
      effectiveFromMs: () => this.#effectiveFromMs(),
      ...(options.relistMs !== undefined && { relistMs: options.relistMs }),
      onChange: (changes) => this.#rulesDidChange(changes),
      onNotice: (severity, message) => this.#notice(severity, message),
    })
    this.#problems = new RuleProblems(options.env.clock, (id, message) =>
      this.#notice('warning', `rule ${id}: ${message}`),
    )
    const { stateDirectory } = options
    this.#backfills = new BackfillQueue(
      options.env.files,
      stateDirectory === undefined ? null : `${stateDirectory}/backfills.msgpack`,
    )
    this.#drops = new RawDrops({
      database: options.database,
      clock: options.env.clock,
      history: () => this.#history(),
      sourceOf: (namespace) => {
        const runner = this.#runners.get(namespace)
        if (runner === undefined) return undefined
        const { resolutionMs } = runner.policy
        return { resolutionMs, finalUntilMs: (holdMs) => runner.finalUntilMs(holdMs) }
      },
      backfilledUntilMs: () => Math.min(Infinity, ...this.#backfills.jobs.map(({ doneMs }) => doneMs)),
      hasProblem: (id) => this.#problems.has(id),
      holdMs: options.dropHoldMs ?? DROP_HOLD_MS,
    })
  }

  /** The rules as they are known now. */
  get book(): RuleBook {
    return this.#follower.book
  }

  /** Reads the rules and begins. With the store away the rules of the last run hold. */
  async start(): Promise<void> {
    this.#unobserve = this.#raw.observe({
      samplesStored: (refs, timestampsMs, count) => this.#samplesStored(refs, timestampsMs, count),
      seriesCreated: (refs) => {
        for (const runner of this.#runners.values()) runner.seriesCreated(refs)
      },
      seriesEvicted: (refs) => {
        for (const runner of this.#runners.values()) runner.seriesEvicted(refs)
      },
    })
    try {
      await this.#backfills.load()
    } catch (error) {
      this.#notice('error', `backfills that were under way are forgotten: ${messageOf(error)}`)
    }
    await this.#follower.start()
    this.#options.database.setDropPolicy(this.#drops)
    this.#options.database.setLogHold(() => this.#isComputingLate || [...this.#runners.values()].some(isDirty))
    this.#loop = this.#run()
  }

  /** Ends within one window's computation; what is not committed is computed after the next start. */
  async stop(): Promise<void> {
    this.#stop.abort(new AggregatorError('CLOSED', 'the aggregator was stopped'))
    this.#wake?.()
    await this.#follower.stop()
    await this.#loop
    this.#unobserve?.()
    this.#options.database.setDropPolicy(null)
    this.#options.database.setLogHold()
  }

  /**
   * What queries should be asked of: it picks the resolution for each part of a query, and makes rolled-up counters
   * cumulative.
   */
  queryable(): Queryable {
    return new ResolutionPlanner({
      database: this.#options.database,
      clock: this.#env.clock,
      drops: () => this.#drops.facts,
      rules: () => {
        if (this.#knowledge.book !== this.book) this.#knowledge = { book: this.book, rules: ruleKnowledge(this.book) }
        return this.#knowledge.rules
      },
    })
  }

  /** Lists the rules now, instead of waiting for word of a change. */
  refreshRules(): Promise<void> {
    return this.#follower.refresh()
  }

  status(): AggregatorStatus {
    const nowMs = this.#env.clock.wallMs()
    return {
      store: this.#follower.status(),
      rules: ruleStates(this.book, [...this.#runners.values()], this.#problems.current, this.#drops, nowMs),
      drops: this.#drops.status(),
      strays: this.book.strays,
      policies: [...this.#runners.values()].map((runner) => ({
        policy: runner.policy.text,
        namespace: runner.policy.namespace,
        resolutionMs: runner.policy.resolutionMs,
        lastWindowEndMs: runner.watermarkMs,
        latenessMs: latenessMsOf(runner, nowMs),
        dirtyWindowCount: runner.dirtyWindowCount,
        ...runner.counters,
      })),
      rejectedRuleCount:
        this.book.entries().filter(({ problems }) => problems.length > 0).length + this.book.strays.length,
      rejectionCount: this.#rejectedCount,
      backfills: this.#backfills.jobs,
      error: this.#error,
    }
  }

  /** Which rules a series meets, what is written for it and where. */
  explain(labels: Labels): Explanation {
    return explainSeries(this.book.currentRulesByAge(), labels, this.#options.metadata)
  }

  /**
   * Applies a document to the stored samples of `(fromMs, untilMs]` (default: the last hour) and keeps nothing of it.
   *
   * @throws {AggregatorError} `INVALID_RULE` with its problems, `INVALID_ARGUMENT` for kinds that make no windows.
   */
  async dryRun(
    kind: RuleKind,
    name: string,
    text: string,
    options: { readonly fromMs?: number; readonly untilMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<DryRun> {
    const { rule, problems } = readRule(kind, name, text)
    if (rule === null) throw new AggregatorError('INVALID_RULE', problems.map(problemText).join('; '))
    if (rule.kind !== 'mapping' && rule.kind !== 'rollup') {
      throw new AggregatorError('INVALID_ARGUMENT', `a ${kind} rule makes no windows: there is nothing to run dry`)
    }
    const untilMs = options.untilMs ?? this.#env.clock.wallMs()
    return dryRun({
      raw: this.#raw,
      env: this.#env,
      rule,
      rules: this.book.currentRules(),
      ...(this.#options.metadata && { metadata: this.#options.metadata }),
      fromMs: options.fromMs ?? untilMs - 3_600_000,
      untilMs,
      ...(options.signal && { signal: options.signal }),
    })
  }

  /**
   * Applies a rule to stored history: it then holds for all windows that end after `fromMs`. Resolves when the work is
   * noted; `status().backfills` tells how far it is, and it goes on after a restart.
   *
   * @throws {AggregatorError} `NOT_FOUND` when no such rule is in force, `INVALID_ARGUMENT` for a time that is not past.
   */
  async backfill(id: RuleId, fromMs: number): Promise<void> {
    const text = ruleIdText(id)
    const rule = this.book.entry(text)?.versions.at(-1)?.rule
    if (!rule || (rule.kind !== 'mapping' && rule.kind !== 'rollup')) {
      throw new AggregatorError('NOT_FOUND', `no mapping or rollup rule ${text} is in force`)
    }
    if (!(fromMs >= 0 && fromMs < this.#env.clock.wallMs())) {
      throw new AggregatorError('INVALID_ARGUMENT', `a backfill begins in the past, got ${fromMs}`)
    }
    const replaced = await this.#follower.change((book) => book.backdate(text, fromMs))
    await this.#queueBackfill(text, rule, fromMs, replaced)
  }

  /** Resolves when all windows that are due now, late ones included, are computed. For tests and orderly stops. */
  async settle(): Promise<void> {
    for (;;) {
      const nowMs = this.#env.clock.wallMs()
      const runners = [...this.#runners.values()]
      const isSettled = !this.#rulesChanged && !this.#isApplyingRules
      if (isSettled && runners.every((runner) => !runner.isDirty && runner.nextDueMs > nowMs)) return
      this.#lateSinceMs = -Infinity
      this.#wake?.()
      await sleep(this.#env.clock, 5, this.#stop.signal)
    }
  }

  /** Windows up to here are computed, or may be: a change of the rules holds after it. The clock may have jumped back. */
  #effectiveFromMs(): number {
    let fromMs = this.#env.clock.wallMs()
    for (const { policy, timestampMs } of this.#options.database.watermarks()) {
      if (policy !== LATE_MARK && policy !== DROP_MARK) fromMs = Math.max(fromMs, timestampMs)
    }
    for (const runner of this.#runners.values()) fromMs = Math.max(fromMs, runner.closingMs)
    return fromMs
  }

  #history(): DropHistory {
    const { book } = this
    if (this.#dropHistory.book !== book) {
      this.#dropHistory = { book, history: new DropHistory(book, this.#options.metadata) }
    }
    return this.#dropHistory.history
  }

  async #run(): Promise<void> {
    const { clock } = this.#env
    while (!this.#stop.signal.aborted) {
      try {
        if (this.#rulesChanged) await this.#applyRules()
        await this.#computeDue()
        await this.#computeLate()
        await this.#computeBackfill()
        if (this.#error !== null) this.#notice('info', 'windows are computed again')
        this.#error = null
        await this.#wait()
      } catch (error) {
        if (this.#stop.signal.aborted) return
        if (this.#error === null) this.#notice('error', `windows are not computed, trying again: ${messageOf(error)}`)
        this.#error = messageOf(error)
        for (const runner of this.#runners.values()) runner.forget()
        await sleep(clock, RETRY_MS, this.#stop.signal).catch(() => undefined) // Stopped: the loop ends.
      }
    }
  }

  /** Makes the namespaces and runners that the rules ask for. */
  async #applyRules(): Promise<void> {
    this.#rulesChanged = false
    this.#isApplyingRules = true
    try {
      for (const policy of policiesOf(this.book)) await this.#ensureRunner(policy)
      await this.#applyNamespaceRules()
    } catch (error) {
      this.#rulesChanged = true
      throw error
    } finally {
      this.#isApplyingRules = false
    }
  }

  async #ensureRunner(policy: StoragePolicy): Promise<void> {
    const { database } = this.#options
    const { clock } = this.#env
    if (this.#runners.has(policy.namespace)) return
    if (!database.hasNamespace(policy.namespace)) {
      await database.createNamespace(policy.namespace, {
        resolutionMs: policy.resolutionMs,
        retentionMs: policy.retentionMs,
        columns: ['last', 'min', 'max', 'sum', 'count', 'increase'],
      })
    }
    const { resolutionMs } = policy
    const stored = database.watermark(policy.namespace, 0)
    // The window that is open now is the first one: the rule holds at its end.
    const firstSeenMs = Math.min(clock.wallMs(), firstSeenOf(this.book, policy))
    const watermarkMs = stored ?? windowEndOf(firstSeenMs, resolutionMs) - resolutionMs
    const graceMs = this.#options.graceMs?.(resolutionMs) ?? defaultGraceMs(resolutionMs)
    const runner = new PolicyRunner({
      policy,
      raw: this.#raw,
      target: database.namespace(policy.namespace),
      clock,
      book: () => this.book,
      metadata: this.#options.metadata ?? (() => undefined),
      graceMs,
      watermarkMs,
      onProblem: (rule, message) => this.#problems.note(rule, message),
      holdAfterMs: () => this.#follower.holdAfterMs,
      drops: () => this.#drops.facts,
      isClean: () => !this.#isComputingLate && [...this.#runners.values()].every((other) => !other.isDirty),
      signal: this.#stop.signal,
    })
    this.#runners.set(policy.namespace, runner)
    // Late samples of the time before a crash, which nobody came to compute.
    const late = database.lateSamples()
    for (let k = 0; k < late.seriesRefs.length; k++) {
      if (late.timestampsMs[k] > watermarkMs) continue
      runner.markLate(late.seriesRefs[k], late.timestampsMs[k])
      this.#noteLate()
    }
    this.#closingMsMax = Math.max(this.#closingMsMax, watermarkMs)
  }

  async #applyNamespaceRules(): Promise<void> {
    const { database } = this.#options
    for (const rule of this.book.currentRules()) {
      if (rule.kind !== 'namespace') continue
      const options = namespaceChange(rule)
      if (database.hasNamespace(rule.name)) {
        const { retentionMs } = database.namespace(rule.name).options
        if (options.retentionMs !== undefined && options.retentionMs !== retentionMs) {
          await database.changeNamespace(rule.name, { retentionMs: options.retentionMs })
        }
      } else await database.createNamespace(rule.name, options)
    }
  }

  async #computeDue(): Promise<void> {
    for (let worked = true; worked; ) {
      worked = false
      for (const runner of this.#runners.values()) {
        this.#stop.signal.throwIfAborted()
        if (runner.nextDueMs > this.#env.clock.wallMs()) continue
        const closing = runner.computeDue()
        this.#closingMsMax = Math.max(this.#closingMsMax, runner.closingMs)
        worked = (await closing) || worked
      }
      // New rules hold from the next window on, also while many are caught up with.
      if (this.#rulesChanged) return
    }
  }

  async #computeLate(): Promise<void> {
    if (this.#lateSinceMs + LATE_DELAY_MS > this.#env.clock.monotonicMs()) return
    this.#lateSinceMs = Infinity
    this.#isComputingLate = true
    try {
      for (const runner of this.#runners.values()) if (runner.isDirty) await runner.computeDirty()
    } finally {
      this.#isComputingLate = false
      // What could not be computed is put back, and tried again.
      if ([...this.#runners.values()].some((runner) => runner.isDirty)) this.#noteLate()
    }
  }

  async #queueBackfill(id: string, rule: Rule, fromMs: number, replaced: readonly RuleVersion[]): Promise<void> {
    if (rule.kind !== 'mapping' && rule.kind !== 'rollup') return
    const replacedNames = replaced.flatMap(({ rule: old }) =>
      old?.kind === 'rollup' ? old.outputs.map(({ nameTemplate }) => nameTemplate) : [],
    )
    const untilMs = this.#env.clock.wallMs()
    for (const { namespace } of rule.policies) {
      await this.#backfills.add({ rule: id, namespace, fromMs, untilMs, doneMs: fromMs, replacedNames })
    }
    this.#wake?.()
  }

  /** One part of the oldest backfill, so that windows that are due meanwhile do not wait for all of it. */
  async #computeBackfill(): Promise<void> {
    const job = this.#backfills.jobs[0]
    if (job === undefined) return
    const runner = this.#runners.get(job.namespace)
    if (runner === undefined) return
    const doneMs = await runner.backfill(job.doneMs, job.untilMs, job.replacedNames)
    await this.#backfills.progress(job, doneMs)
    if (doneMs >= job.untilMs) this.#notice('info', `backfill of ${job.rule} into ${job.namespace} is done`)
  }

  async #wait(): Promise<void> {
    const { clock } = this.#env
    let untilMs = WAIT_MS_MAX
    for (const runner of this.#runners.values()) untilMs = Math.min(untilMs, runner.nextDueMs - clock.wallMs())
    untilMs = Math.min(untilMs, this.#lateSinceMs + LATE_DELAY_MS - clock.monotonicMs())
    const hasBackfill = this.#backfills.jobs.some(({ namespace }) => this.#runners.has(namespace))
    if (this.#rulesChanged || hasBackfill || this.#stop.signal.aborted || untilMs <= 0) {
      await clock.yield()
      return
    }
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(untilMs, resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#wake = null
  }

  /** Called for every batch that is stored: one comparison a sample, as long as none is late. */
  #samplesStored(refs: Uint32Array, timestampsMs: Float64Array, count: number): void {
    const closingMsMax = this.#closingMsMax
    for (let k = 0; k < count; k++) {
      if (timestampsMs[k] > closingMsMax) continue
      for (const runner of this.#runners.values()) {
        if (timestampsMs[k] > runner.closingMs) continue
        runner.markLate(refs[k], timestampsMs[k])
        this.#noteLate()
      }
    }
  }

  #noteLate(): void {
    if (this.#lateSinceMs !== Infinity) return
    this.#lateSinceMs = this.#env.clock.monotonicMs()
    this.#wake?.()
  }

  async #rulesDidChange(changes: readonly RuleChange[]): Promise<void> {
    for (const { kind, id, problems, backfillFromMs } of changes) {
      const rule = this.book.entry(id)?.versions.at(-1)?.rule
      // The document itself asks for it, by a `from` that is past.
      if (rule && backfillFromMs !== null) {
        const replaced = (this.book.entry(id)?.versions ?? []).filter((version) => version.rule !== rule)
        await this.#queueBackfill(id, rule, backfillFromMs, replaced)
      }
      if (kind === 'rejected') {
        this.#rejectedCount++
        const lines = problems.map(
          ({ line, column, path, message }) => `line ${line}, column ${column}: ${path}: ${message}`,
        )
        this.#notice('error', `rule ${id} is bad, the last good one stays in force: ${lines.join('; ')}`)
      } else this.#notice('info', `rule ${id}: ${kind}`)
    }
    // Where no rule changed that makes windows, plans stay, and what they could not do is not told again.
    const isNewPlan = changes.some(
      ({ id, kind }) => kind !== 'rejected' && kind !== 'mended' && /^(mapping|rollup)\//.test(id),
    )
    if (isNewPlan) this.#problems.beginAnew()
    this.#rulesChanged = true
    this.#wake?.()
  }

  #notice(severity: 'info' | 'warning' | 'error', message: string): void {
    this.#options.onNotice?.(severity, message)
  }
}

function isDirty(runner: PolicyRunner): boolean {
  return runner.isDirty
}

export function defaultGraceMs(resolutionMs: number): number {
  return Math.min(15_000, Math.max(500, resolutionMs / 4))
}

function namespaceChange(rule: NamespaceRule): { retentionMs?: number; blockSizeMs?: number } {
  return {
    ...(rule.retentionMs !== null && { retentionMs: rule.retentionMs }),
    ...(rule.blockSizeMs !== null && { blockSizeMs: rule.blockSizeMs }),
  }
}
