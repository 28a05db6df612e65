/**
 * The life of a database in a simulation: each step is done to the store and told to the model, so that whatever ends the
 * life, the model knows what must be there afterwards.
 */
import { Database, type Namespace, restoreSnapshot, StorageError } from '@varve/tsdb-core'
import type { Env, FileSystem } from '@varve/tsdb-core/env'
import type { Simulation } from '@varve/tsdb-core/env/simulated'
import { EXTRA, type FoundNamespace } from './extra-namespace.js'
import { FLEET, type FleetSample, sampleOf } from './fleet.js'
import { LifeModel } from './life-model.js'
import { readAll } from './read-all.js'
import type { SampleModel } from './sample-model.js'
import { BLOCK_SIZE_MS, EXTRA_RETENTIONS_MS, RETENTION_MS, type Step } from './steps.js'

export const DIRECTORY = '/data/varve'
const ROLLUP = 'rollup_1m'
const POLICY = '1m:1h'
const MINUTE = 60_000
/** Window ends rise by this; one rollup series holds the number of its window. */
const WINDOW_MS = MINUTE
/** More than a scenario lets calls fail in a row. */
const OPEN_ATTEMPTS = 6

export interface LifeOptions {
  readonly syncMode?: 'always' | 'interval' | 'never'
  /** Stands between the store and its disk, to break a promise on purpose. */
  readonly mutate?: (files: FileSystem) => FileSystem
  readonly diskReserveBytes?: number
  /** 0, the default: only by the step `maintain`. */
  readonly maintenanceIntervalMs?: number
}

export class EngineLife {
  readonly notices: string[] = []
  #models = new LifeModel()
  /** What must be there instead, once a restore that was asked for has come to pass. */
  #restoring: LifeModel | null = null
  readonly #snapshots: { readonly directory: string; readonly models: LifeModel }[] = []
  #snapshotCount = 0
  readonly #simulation: Simulation
  readonly #options: LifeOptions
  #windowCount = 0
  /** Ends of windows that may be there without their watermark: it was refused with them, or comes behind them. */
  readonly #standAlone = new Set<number>()
  #database: Database | null = null

  constructor(simulation: Simulation, options: LifeOptions = {}) {
    this.#simulation = simulation
    this.#options = options
  }

  /** Of the namespace `default`. */
  get model(): SampleModel {
    return this.#models.raw
  }

  get database(): Database {
    if (this.#database === null) throw new Error('the database is not open')
    return this.#database
  }

  async open(env: Env): Promise<void> {
    this.#database = null
    this.#database = await Database.open({
      directory: DIRECTORY,
      env: this.#mutated(env),
      namespaces: {
        default: { retentionMs: RETENTION_MS, blockSizeMs: BLOCK_SIZE_MS },
        [ROLLUP]: { retentionMs: 10 * RETENTION_MS, blockSizeMs: 5 * MINUTE, resolutionMs: WINDOW_MS },
      },
      syncMode: this.#options.syncMode ?? 'always',
      syncIntervalMs: 5,
      segmentSizeBytes: 1_000,
      diskReserveBytes: this.#options.diskReserveBytes ?? 0,
      maintenanceIntervalMs: this.#options.maintenanceIntervalMs ?? 0,
      onNotice: ({ severity, message }) => this.notices.push(`${severity}: ${message}`),
    })
  }

  #mutated(env: Env): Env {
    return { ...env, files: this.#options.mutate?.(env.files) ?? env.files }
  }

  /** Carries a step out. A named error of the store is an answer; anything else is a bug. */
  async step(step: Step, env: Env): Promise<void> {
    try {
      await this.#do(step, env)
    } catch (error) {
      if (!isNamed(error)) throw error
    }
    this.expire()
  }

  /** Tells the model how old samples may be by now. A clock that jumps allows no more. */
  expire(): void {
    for (const models of [this.#models, this.#restoring]) {
      models?.raw.expireBefore(this.trueWallMs - RETENTION_MS)
      models?.rollups.expireBefore(this.trueWallMs - 10 * RETENTION_MS)
      models?.extra.samples.expireBefore(this.trueWallMs - EXTRA_RETENTIONS_MS[0])
    }
  }

  /** Wall time as it would be without jumps. */
  get trueWallMs(): number {
    return Math.floor(WALL_MS + this.#simulation.nowMs)
  }

  async #do(step: Step, env: Env): Promise<void> {
    switch (step.kind) {
      case 'append':
        return this.tryAppend(step)
      case 'rollUp':
        return this.#rollUp()
      case 'maintain':
        return this.database.maintain()
      case 'flush':
        return this.database.flush()
      case 'snapshot':
        return this.#snapshot()
      case 'restore':
        return this.#restore(env)
      case 'delete':
        return this.#delete(step)
      case 'createExtra':
        return this.#createExtra()
      case 'changeExtra':
        return this.#changeExtra(step.retentionMs)
      case 'appendExtra':
        return this.#appendExtra(step)
      case 'deleteExtra':
        return this.#deleteExtra()
      case 'wait':
        return waitFor(env, step.forMs)
      case 'jump':
        return this.#simulation.jumpWall(step.byMs)
      case 'setClock':
        return this.#simulation.jumpWall(step.aheadMs - (this.#simulation.clock.wallMs() - this.trueWallMs))
      case 'reopen':
        return this.#reopen(env)
    }
  }

  async #reopen(env: Env): Promise<void> {
    await this.#close()
    await this.#openAgain(env)
  }

  /** A close that fails is told, and lets go all the same. */
  async #close(): Promise<void> {
    await this.database.close().catch((error) => {
      if (!isNamed(error)) throw error
    })
  }

  /** An opening that fails is tried again, as an operator would. */
  async #openAgain(env: Env): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.open(env)
      } catch (error) {
        if (!isNamed(error)) throw error
        if (attempt === OPEN_ATTEMPTS) throw new Error(`it cannot be opened again: ${error}`, { cause: error })
      }
    }
  }

  /** As the step, with the store's errors. */
  async tryAppend({ series, ageMs, count }: Extract<Step, { kind: 'append' }>): Promise<void> {
    const samples = samplesOf(series, this.trueWallMs - ageMs, count)
    await appendTo(this.database.namespace('default'), this.#models.raw, samples)
  }

  #adopt(models: LifeModel): void {
    models.raw.acknowledgedCount = this.model.acknowledgedCount
    models.raw.checkedCount = this.model.checkedCount
    this.#models = models
    this.#restoring = null
  }

  async #createExtra(): Promise<void> {
    const { extra } = this.#models
    if (this.database.hasNamespace(EXTRA)) return
    const [retentionMs] = EXTRA_RETENTIONS_MS
    extra.creating(retentionMs)
    await this.database.createNamespace(EXTRA, { retentionMs, blockSizeMs: BLOCK_SIZE_MS })
    extra.created(retentionMs)
  }

  async #changeExtra(retentionMs: number): Promise<void> {
    if (!this.database.hasNamespace(EXTRA)) return
    this.#models.extra.changing(retentionMs)
    await this.database.changeNamespace(EXTRA, { retentionMs })
    this.#models.extra.changed(retentionMs)
  }

  async #appendExtra({ series, count }: Extract<Step, { kind: 'appendExtra' }>): Promise<void> {
    if (!this.database.hasNamespace(EXTRA)) return
    const samples = samplesOf(series, this.trueWallMs, count)
    await appendTo(this.database.namespace(EXTRA), this.#models.extra.samples, samples)
  }

  async #deleteExtra(): Promise<void> {
    if (!this.database.hasNamespace(EXTRA)) return
    this.#models.extra.deleting()
    await this.database.deleteNamespace(EXTRA)
    this.#models.extra.deleted()
  }

  /** Back to the last snapshot: until the answer, what is there is all of the one or all of the other. */
  async #restore(env: Env): Promise<void> {
    const last = this.#snapshots.at(-1)
    if (last === undefined || this.#restoring !== null) return
    await this.#close()
    this.#restoring = last.models.clone()
    this.expire()
    try {
      const { directory: snapshot } = last
      await restoreSnapshot({ snapshot, directory: DIRECTORY, replace: true, env: this.#mutated(env) })
      this.#adopt(this.#restoring)
    } catch (error) {
      if (!isNamed(error)) throw error
    }
    await this.#openAgain(env)
    // Whichever it is, later steps go on from there.
    const problems = this.#restoring === null ? [] : await this.check()
    if (problems.length > 0) throw new Error(problems.join('\n'))
  }

  /** The next window's sample and the watermark, which must be there together. */
  async #rollUp(): Promise<void> {
    const windowEndMs = Math.floor(WALL_MS / WINDOW_MS) * WINDOW_MS + (this.#windowCount + 1) * WINDOW_MS
    if (windowEndMs > this.trueWallMs + 5 * MINUTE) return
    // By a clock that has jumped it may have expired: its watermark would then stand without it.
    if (windowEndMs < this.#simulation.clock.wallMs() - 9 * RETENTION_MS) return
    this.#windowCount++
    const models = this.#models
    models.watermarkMsMax = windowEndMs
    const sample = sampleOf(0, windowEndMs)
    models.rollups.submit([sample])
    const namespace = this.database.namespace(ROLLUP)
    const [ref] = await namespace.resolveLabels([FLEET[0]])
    const batch = {
      count: 1,
      seriesRefs: Uint32Array.of(ref),
      timestampsMs: Float64Array.of(windowEndMs),
      values: valuesOf([sample]),
    }
    const watermarks = [{ policy: POLICY, shard: 0, timestampMs: windowEndMs }]
    try {
      if (this.#windowCount % 2 === 0) {
        const { rejections } = await namespace.append(batch, { watermarks })
        // Where the clock has jumped back, the window is too far ahead; a watermark without it would say that it was written.
        if (rejections.length > 0) return
      } else {
        // As a whole window: the watermark is a record of its own behind it.
        this.#standAlone.add(windowEndMs)
        const columns = [{ column: 'value' as const, values: batch.values }]
        const window = {
          timestampMs: windowEndMs,
          count: 1,
          seriesRefs: batch.seriesRefs,
          masks: Uint8Array.of(1),
          columns,
        }
        const deferred = this.#windowCount % 4 === 1
        const { refused, unknown, durable } = await namespace.appendWindow(window, { deferred })
        if (refused !== null || unknown.length > 0) return
        // It waits for others, or is written now; the watermark waits for it.
        if (this.#windowCount % 8 === 1) await this.database.flush()
        if (deferred) namespace.writeDeferred()
        await durable
        await namespace.append({ ...batch, count: 0 }, { watermarks })
      }
    } catch (error) {
      this.#standAlone.add(windowEndMs)
      throw error
    }
    models.rollups.acknowledge([sample])
    models.watermarkMsMin = windowEndMs
  }

  async #snapshot(): Promise<void> {
    const directory = `/data/snapshot-${this.#snapshotCount++}`
    const models = this.#models.clone()
    await this.database.snapshot(directory)
    this.#snapshots.push({ directory, models })
  }

  /** Opens each snapshot that was made, as a database of its own: it holds what was acknowledged by then. */
  async checkSnapshots(env: Env): Promise<string[]> {
    const problems: string[] = []
    for (const { directory, models } of this.#snapshots) {
      const model = models.raw.clone()
      const database = await Database.open({
        directory,
        env,
        namespaces: { default: { retentionMs: RETENTION_MS, blockSizeMs: BLOCK_SIZE_MS } },
        diskReserveBytes: 0,
        maintenanceIntervalMs: 0,
      })
      model.expireBefore(this.trueWallMs - RETENTION_MS)
      const found = await readAll(database.namespace('default'))
      problems.push(...model.check(found).map((problem) => `${directory}: ${problem}`))
      await database.close()
    }
    return problems
  }

  async #delete({ code, fromAgeMs, toAgeMs }: Extract<Step, { kind: 'delete' }>): Promise<void> {
    const startMs = this.trueWallMs - fromAgeMs
    const endMs = this.trueWallMs - toAgeMs
    const matches = (name: string) => name.includes(`code="${code}"`)
    this.model.delete(matches, startMs, endMs, 'may')
    await this.database
      .namespace('default')
      .deleteSamples({ matchers: [{ name: 'code', operator: '=', value: code }], startMs, endMs })
    this.model.delete(matches, startMs, endMs, 'absent')
  }

  /** Reads everything back and compares. `settle` after a recovery: what was in doubt is then decided. */
  async check(options: { settle: boolean } = { settle: false }): Promise<string[]> {
    const raw = await readAll(this.database.namespace('default'))
    const rollups = await readAll(this.database.namespace(ROLLUP))
    const watermarkMs = this.database.watermark(POLICY, 0) ?? 0
    const found = { raw, rollups, watermarkMs, extra: await this.#readExtra() }
    const problems = this.#models.check(found, this.#standAlone)
    if (this.#restoring !== null) {
      // Which of the two it is shows now, and stays so.
      const instead = problems.length === 0 ? [] : this.#restoring.check(found, this.#standAlone)
      if (problems.length > 0 && instead.length === 0) this.#adopt(this.#restoring)
      if (problems.length > 0 && instead.length > 0) {
        return [...problems, 'and if the restore has come to pass:', ...instead]
      }
      this.#restoring = null
      problems.length = 0
    }
    problems.push(...(await this.#checkNames()))
    if (options.settle && problems.length === 0) this.#models.settle(found)
    return problems
  }

  async #readExtra(): Promise<FoundNamespace> {
    if (!this.database.hasNamespace(EXTRA)) return null
    const namespace = this.database.namespace(EXTRA)
    return { retentionMs: namespace.options.retentionMs, samples: await readAll(namespace) }
  }

  async #checkNames(): Promise<string[]> {
    const named = await this.database.namespace('default').labelValues('__name__')
    return this.model.seriesThatMustBe().flatMap((series) => {
      const labels = FLEET.find((each) => each.toString() === series)
      return named.values.includes(labels?.metricName ?? '') ? [] : [`${series}: its name is not among label values`]
    })
  }
}

function samplesOf(series: readonly number[], newestMs: number, count: number): FleetSample[] {
  return series.flatMap((index) =>
    Array.from({ length: count }, (_, k) => sampleOf(index, newestMs - (count - 1 - k) * 7_000)),
  )
}

async function appendTo(namespace: Namespace, model: SampleModel, samples: readonly FleetSample[]): Promise<void> {
  model.submit(samples)
  const byName = new Map(FLEET.map((labels) => [labels.toString(), labels]))
  const refs = await namespace.resolveLabels(samples.map(({ series }) => byName.get(series)!))
  const placed = samples.map(({ histogram }, index) => ({ histogram, index }))
  const histograms = placed.filter((one) => one.histogram !== null)
  const result = await namespace.append({
    count: samples.length,
    seriesRefs: refs,
    timestampsMs: Float64Array.from(samples, ({ timestampMs }) => timestampMs),
    values: valuesOf(samples),
    ...(histograms.length > 0 && {
      histograms: {
        sampleIndexes: Uint32Array.from(histograms, ({ index }) => index),
        histograms: histograms.map(({ histogram }) => histogram!),
      },
    }),
  })
  const refused = new Set(result.rejections.map(({ sampleIndex }) => sampleIndex))
  model.acknowledge(samples, (index) => refused.has(index))
}

/** The store's own errors, each with a code; all others are bugs. */
export function isNamed(error: unknown): boolean {
  return error instanceof StorageError
}

/** Where every simulation's wall clock starts. */
export const WALL_MS = Date.UTC(2026, 0, 1)

/** Where a histogram stands, the value is 0. */
function valuesOf(samples: readonly FleetSample[]): Float64Array {
  return new Float64Array(
    BigUint64Array.from(samples, ({ bits, histogram }) => (histogram === null ? bits : 0n)).buffer,
  )
}

function waitFor(env: Env, forMs: number): Promise<void> {
  return new Promise((resolve) => void env.clock.setTimer(forMs, resolve))
}
