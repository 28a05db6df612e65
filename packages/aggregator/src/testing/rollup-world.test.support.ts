/**
 * A database in memory, rules and a clock that a test moves by hand: samples go in, windows are computed, and what stands in
 * the aggregated namespaces is compared with the naive recomputation from all raw samples.
 */
import { Database } from '@varve/tsdb-core'
import type { Clock, Env } from '@varve/tsdb-core/env'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { SeededRandom, Simulation } from '@varve/tsdb-core/env/simulated'
import { type AggregateColumn, halvesOf, isStaleAt, Labels, METRIC_NAME, writeStaleAt } from '@varve/tsdb-core/model'
import { expect } from 'vitest'
import type { Rule, RuleKind } from '../rules/rule.js'
import { RuleBook } from '../rules/rule-book.js'
import type { StoragePolicy } from '../rules/storage-policy.js'
import type { StoredDocument } from '../stores/rule-store.js'
import { PolicyRunner } from '../windows/policy-runner.js'
import { type Expected, naiveRollup, outputKey, type RawSeries, STALE } from '../windows/rollup.naive.test.support.js'

export const ALL_COLUMNS: readonly AggregateColumn[] = ['last', 'min', 'max', 'sum', 'count', 'increase', 'value']

export class ManualClock implements Clock {
  nowMs: number
  constructor(nowMs: number) {
    this.nowMs = nowMs
  }
  wallMs(): number {
    return this.nowMs
  }
  monotonicMs(): number {
    return this.nowMs
  }
  setTimer(): { cancel(): void } {
    throw new Error('nothing in this world waits for a timer')
  }
  yield(): Promise<void> {
    return Promise.resolve()
  }
}

export interface WorldSample {
  readonly labels: Labels
  readonly timestampMs: number
  readonly value: number | typeof STALE
}

export interface RollupWorldOptions {
  readonly startMs: number
  readonly graceMs: number
  /** Where blocks are sealed to, so that series leave the head; absent: all stays in memory. */
  readonly directory?: string
  readonly blockSizeMs?: number
}

export class RollupWorld {
  readonly clock: ManualClock
  readonly book = new RuleBook()
  readonly problems: string[] = []
  readonly runners = new Map<string, PolicyRunner>()
  readonly graceMs: number
  readonly #documents = new Map<string, StoredDocument>()
  readonly #startsMs = new Map<string, number>()
  #revision = 0
  database!: Database

  private constructor(startMs: number, graceMs: number) {
    this.clock = new ManualClock(startMs)
    this.graceMs = graceMs
  }

  static async open(options: RollupWorldOptions): Promise<RollupWorld> {
    const world = new RollupWorld(options.startMs, options.graceMs)
    const { network, ...simulated } = new Simulation({ seed: 1 }).env()
    const { directory, blockSizeMs } = options
    const files = directory === undefined ? simulated.files : nodeEnv().files
    const env: Env = { clock: world.clock, random: new SeededRandom(1), files, network }
    world.database = await Database.open({
      env,
      ...(directory !== undefined && { directory, syncMode: 'never' as const }),
      maintenanceIntervalMs: 0,
      newSeriesPerSecondMax: 1e9,
      namespaces: { default: { retentionMs: Infinity, ...(blockSizeMs !== undefined && { blockSizeMs }) } },
    })
    world.database.namespace('default').observe({
      samplesStored: (refs, times, count) => {
        for (const runner of world.runners.values()) {
          for (let k = 0; k < count; k++) if (times[k] <= runner.closingMs) runner.markLate(refs[k], times[k])
        }
      },
      seriesCreated: (refs) => {
        for (const runner of world.runners.values()) runner.seriesCreated(refs)
      },
      seriesEvicted: (refs) => {
        for (const runner of world.runners.values()) runner.seriesEvicted(refs)
      },
    })
    return world
  }

  /** Puts a rule now; `null` deletes it. */
  async putRule(kind: RuleKind, name: string, document: object | null): Promise<void> {
    const id = `${kind}/${name}`
    const text = JSON.stringify(document)
    if (document === null) this.#documents.delete(id)
    else this.#documents.set(id, { kind, name, where: id, revision: ++this.#revision, text })
    const listing = { revision: this.#revision, documents: [...this.#documents.values()], complete: true, strays: [] }
    const changes = this.book.update(listing, this.clock.wallMs())
    const rejected = changes.filter((change) => change.kind === 'rejected')
    if (rejected.length > 0) throw new Error(`bad rule in a test: ${JSON.stringify(rejected)}`)
    for (const rule of this.book.currentRules()) {
      if (rule.kind !== 'mapping' && rule.kind !== 'rollup') continue
      for (const policy of rule.policies) await this.#ensureRunner(policy)
    }
  }

  async append(samples: readonly WorldSample[]): Promise<void> {
    const raw = this.database.namespace('default')
    const count = samples.length
    const values = new Float64Array(count)
    const halves = halvesOf(values)
    const timestampsMs = new Float64Array(count)
    samples.forEach((sample, k) => {
      timestampsMs[k] = sample.timestampMs
      if (sample.value === STALE) writeStaleAt(halves, k)
      else values[k] = sample.value
    })
    const seriesRefs = await raw.resolveLabels(samples.map(({ labels }) => labels))
    await raw.append({ count, seriesRefs, timestampsMs, values })
  }

  /** Moves the clock and computes what is due, late windows too. */
  async advanceTo(nowMs: number): Promise<void> {
    this.clock.nowMs = nowMs
    for (const runner of this.runners.values()) while (await runner.computeDue());
    for (const runner of this.runners.values()) await runner.computeDirty()
  }

  /** Forgets everything that is not stored, as a restart does. */
  restart(): void {
    for (const [namespace, runner] of this.runners) {
      const fresh = this.#makeRunner(runner.policy, runner.watermarkMs)
      this.runners.set(namespace, fresh)
    }
  }

  /** Everything in the aggregated namespaces equals the naive recomputation. Returns how many samples were compared. */
  async expectExact(): Promise<number> {
    const raw = await this.readRaw()
    let compared = 0
    for (const [namespace, runner] of this.runners) {
      const { resolutionMs } = runner.policy
      const expected = naiveRollup({
        raw,
        namespace,
        resolutionMs,
        firstEndMs: this.#startsMs.get(namespace)! + resolutionMs,
        lastEndMs: runner.watermarkMs,
        rulesAt: (endMs) => this.book.rulesAt(endMs) as readonly Rule[],
      })
      compared += expectSame(await this.readOutputs(namespace, expected), expected, namespace)
    }
    return compared
  }

  async readRaw(): Promise<RawSeries[]> {
    const read = await readAll(this.database, 'default', undefined)
    return read.map(({ labels, samples }) => ({ labels, samples }))
  }

  async readOutputs(namespace: string, expected: Expected): Promise<Expected> {
    return readOutputsOf(this.database, namespace, expected)
  }

  async #ensureRunner(policy: StoragePolicy): Promise<void> {
    if (this.runners.has(policy.namespace)) return
    const { resolutionMs } = policy
    await this.database.createNamespace(policy.namespace, { resolutionMs, retentionMs: Infinity, columns: ['last'] })
    const watermarkMs = Math.ceil(this.clock.wallMs() / resolutionMs) * resolutionMs - resolutionMs
    this.#startsMs.set(policy.namespace, watermarkMs)
    this.runners.set(policy.namespace, this.#makeRunner(policy, watermarkMs))
  }

  #makeRunner(policy: StoragePolicy, watermarkMs: number): PolicyRunner {
    return new PolicyRunner({
      policy,
      raw: this.database.namespace('default'),
      target: this.database.namespace(policy.namespace),
      clock: this.clock,
      book: () => this.book,
      metadata: () => undefined,
      graceMs: this.graceMs,
      watermarkMs,
      onProblem: (rule, message) => this.problems.push(`${rule.name}: ${message}`),
      holdAfterMs: () => Infinity,
      isClean: () => [...this.runners.values()].every((runner) => !runner.isDirty),
      signal: new AbortController().signal,
    })
  }
}

export async function readAll(database: Database, namespace: string, column: AggregateColumn | undefined) {
  const read: { labels: Labels; samples: { timestampMs: number; value: number | typeof STALE }[] }[] = []
  const { symbols, batches } = await database.namespace(namespace).select({
    matchers: [{ name: METRIC_NAME, operator: '!=', value: '' }],
    startMs: 0,
    endMs: 8e15,
    // No other column is to stand in for windows that lack it.
    ...(column !== undefined && { column, exactColumn: true }),
  })
  for await (const batch of batches) {
    const halves = halvesOf(batch.values)
    for (let series = 0; series < batch.seriesCount; series++) {
      const flat: string[] = []
      for (let i = batch.labelOffsets[series] * 2; i < batch.labelOffsets[series + 1] * 2; i++) {
        flat.push(symbols[batch.labelPairs[i]])
      }
      const start = batch.sampleOffsets[series]
      const times = batch.timestampOffsets[batch.timestampColumns[series]]
      const samples = Array.from({ length: batch.sampleOffsets[series + 1] - start }, (_, k) => ({
        timestampMs: batch.timestampsMs[times + k],
        value: isStaleAt(halves, start + k) ? (STALE as typeof STALE) : batch.values[start + k],
      }))
      read.push({ labels: Labels.fromSorted(flat), samples })
    }
  }
  return read
}

/** What stands in a namespace; a column is read of the series for which it is expected, others show as `unexpected`. */
export async function readOutputsOf(database: Database, namespace: string, expected: Expected): Promise<Expected> {
  const outputs: Expected = new Map()
  for (const column of ALL_COLUMNS) {
    for (const { labels, samples } of await readAll(database, namespace, column)) {
      const byEnd = new Map(samples.map(({ timestampMs, value }) => [timestampMs, value]))
      const isExpected = ALL_COLUMNS.some((other) => expected.has(outputKey(labels, other)))
      if (expected.has(outputKey(labels, column))) outputs.set(outputKey(labels, column), byEnd)
      else if (!isExpected) outputs.set(outputKey(labels, 'unexpected'), byEnd)
    }
  }
  return outputs
}

/** Order-free columns have the same bits; sums may differ by rounding. */
export function expectSame(actual: Expected, expected: Expected, where: string): number {
  let compared = 0
  const problems: string[] = []
  const keys = new Set([...actual.keys(), ...expected.keys()])
  for (const key of keys) {
    const ends = new Set([...(actual.get(key)?.keys() ?? []), ...(expected.get(key)?.keys() ?? [])])
    for (const endMs of ends) {
      const got = actual.get(key)?.get(endMs)
      const wanted = expected.get(key)?.get(endMs)
      compared++
      if (!isClose(got, wanted)) problems.push(`${where} ${key} at ${endMs}: got ${got}, wanted ${wanted}`)
    }
  }
  if (problems.length > 0) expect.fail(`${problems.length} of ${compared} differ:\n${problems.slice(0, 12).join('\n')}`)
  return compared
}

function isClose(got: number | string | undefined, wanted: number | string | undefined): boolean {
  if (Object.is(got, wanted)) return true
  if (typeof got !== 'number' || typeof wanted !== 'number') return false
  return Math.abs(got - wanted) <= 1e-12 * Math.max(1, Math.abs(got), Math.abs(wanted))
}
