/**
 * The life of a database in a simulation: each step is done to the store and told to the model, so that whatever ends the
 * life, the model knows what must be there afterwards.
 */
import { Database, StorageError } from '@varve/tsdb-core'
import { type Env, FileError, type FileSystem } from '@varve/tsdb-core/env'
import type { SeededRandom, Simulation } from '@varve/tsdb-core/env/simulated'
import { FLEET, sampleOf } from './fleet.js'
import { readAll } from './read-all.js'
import { type ModelSample, SampleModel } from './sample-model.js'

export const DIRECTORY = '/data/varve'
const ROLLUP = 'rollup_1m'
const POLICY = '1m:1h'
const MINUTE = 60_000
export const BLOCK_SIZE_MS = 2 * MINUTE
export const RETENTION_MS = 20 * MINUTE
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

export type Step =
  | { readonly kind: 'append'; readonly series: readonly number[]; readonly ageMs: number; readonly count: number }
  | { readonly kind: 'rollUp' }
  | { readonly kind: 'maintain' }
  | { readonly kind: 'flush' }
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'delete'; readonly code: string; readonly fromAgeMs: number; readonly toAgeMs: number }
  | { readonly kind: 'wait'; readonly forMs: number }
  | { readonly kind: 'jump'; readonly byMs: number }
  | { readonly kind: 'reopen' }

/** Once through everything that a store does on its own. */
export const SCRIPT: readonly Step[] = [
  { kind: 'append', series: [0, 1, 2], ageMs: 0, count: 3 },
  { kind: 'append', series: [0, 3], ageMs: 4 * MINUTE, count: 4 },
  { kind: 'rollUp' },
  { kind: 'wait', forMs: 3 * MINUTE },
  { kind: 'maintain' },
  { kind: 'append', series: [1, 4], ageMs: 0, count: 2 },
  { kind: 'append', series: [0, 2], ageMs: 5 * MINUTE, count: 3 },
  { kind: 'flush' },
  { kind: 'delete', code: '500', fromAgeMs: 10 * MINUTE, toAgeMs: 0 },
  { kind: 'rollUp' },
  { kind: 'snapshot' },
  { kind: 'append', series: [2], ageMs: MINUTE, count: 2 },
  { kind: 'flush' },
  { kind: 'reopen' },
  { kind: 'append', series: [0, 1, 2, 3, 4], ageMs: 0, count: 2 },
  { kind: 'wait', forMs: RETENTION_MS },
  { kind: 'maintain' },
  { kind: 'append', series: [0, 2], ageMs: 0, count: 2 },
  { kind: 'maintain' },
]

export class EngineLife {
  readonly model = new SampleModel()
  readonly rollups = new SampleModel()
  readonly notices: string[] = []
  readonly #snapshots: { readonly directory: string; readonly model: SampleModel }[] = []
  readonly #simulation: Simulation
  readonly #options: LifeOptions
  #windowCount = 0
  #watermarkMust = 0
  #watermarkMay = 0
  #wasRefused = false
  #database: Database | null = null

  constructor(simulation: Simulation, options: LifeOptions = {}) {
    this.#simulation = simulation
    this.#options = options
  }

  get database(): Database {
    if (this.#database === null) throw new Error('the database is not open')
    return this.#database
  }

  async open(env: Env): Promise<void> {
    const files = this.#options.mutate?.(env.files) ?? env.files
    this.#database = null
    this.#database = await Database.open({
      directory: DIRECTORY,
      env: { ...env, files },
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
    this.model.expireBefore(this.trueWallMs - RETENTION_MS)
    this.rollups.expireBefore(this.trueWallMs - 10 * RETENTION_MS)
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
      case 'delete':
        return this.#delete(step)
      case 'wait':
        return waitFor(env, step.forMs)
      case 'jump':
        return this.#simulation.jumpWall(step.byMs)
      case 'reopen':
        return this.#reopen(env)
    }
  }

  /** A close that fails is told, and lets go all the same; an opening that fails is tried again, as an operator would. */
  async #reopen(env: Env): Promise<void> {
    await this.database.close().catch((error) => {
      if (!isNamed(error)) throw error
    })
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
    const newestMs = this.trueWallMs - ageMs
    const indexes = series.flatMap((index) => Array.from({ length: count }, () => index))
    const samples = indexes.map((index, k) => sampleOf(index, newestMs - (count - 1 - (k % count)) * 7_000))
    this.model.submit(samples)
    const namespace = this.database.namespace('default')
    const refs = await namespace.resolveLabels(indexes.map((index) => FLEET[index]))
    const result = await namespace.append({
      count: samples.length,
      seriesRefs: refs,
      timestampsMs: Float64Array.from(samples, ({ timestampMs }) => timestampMs),
      values: valuesOf(samples),
    })
    const refused = new Set(result.rejections.map(({ sampleIndex }) => sampleIndex))
    this.model.acknowledge(samples, (index) => refused.has(index))
  }

  /** The next window's sample and the watermark, which must be there together. */
  async #rollUp(): Promise<void> {
    const windowEndMs = Math.floor(WALL_MS / WINDOW_MS) * WINDOW_MS + (this.#windowCount + 1) * WINDOW_MS
    if (windowEndMs > this.trueWallMs + 5 * MINUTE) return
    this.#windowCount++
    this.#watermarkMay = windowEndMs
    const sample = sampleOf(0, windowEndMs)
    this.rollups.submit([sample])
    const namespace = this.database.namespace(ROLLUP)
    const [ref] = await namespace.resolveLabels([FLEET[0]])
    const appended = namespace.append(
      {
        count: 1,
        seriesRefs: Uint32Array.of(ref),
        timestampsMs: Float64Array.of(windowEndMs),
        values: valuesOf([sample]),
      },
      { watermarks: [{ policy: POLICY, shard: 0, timestampMs: windowEndMs }] },
    )
    await appended.catch((error) => {
      this.#wasRefused = true
      throw error
    })
    this.rollups.acknowledge([sample])
    this.#watermarkMust = windowEndMs
  }

  async #snapshot(): Promise<void> {
    const directory = `/data/snapshot-${this.#snapshots.length}`
    const model = this.model.clone()
    await this.database.snapshot(directory)
    this.#snapshots.push({ directory, model })
  }

  /** Opens each snapshot that was made, as a database of its own: it holds what was acknowledged by then. */
  async checkSnapshots(env: Env): Promise<string[]> {
    const problems: string[] = []
    for (const { directory, model } of this.#snapshots) {
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
    const found = await readAll(this.database.namespace('default'))
    const foundRollups = await readAll(this.database.namespace(ROLLUP))
    const problems = [...this.model.check(found), ...this.rollups.check(foundRollups)]
    problems.push(...this.#checkWatermark(foundRollups.get(FLEET[0].toString()) ?? []))
    const named = await this.database.namespace('default').labelValues('__name__', {
      matchers: [],
      startMs: 0,
      endMs: Number.MAX_SAFE_INTEGER,
    })
    for (const series of this.model.seriesThatMustBe()) {
      const index = FLEET.findIndex((labels) => labels.toString() === series)
      if (!named.values.includes(FLEET[index].metricName))
        problems.push(`${series}: its name is not among label values`)
    }
    if (options.settle && problems.length === 0) {
      this.model.settle(found)
      this.rollups.settle(foundRollups)
    }
    return problems
  }

  #checkWatermark(samples: readonly { timestampMs: number }[]): string[] {
    const watermark = this.database.watermark(POLICY, 0) ?? 0
    const newest = samples.at(-1)?.timestampMs ?? 0
    const problems: string[] = []
    if (watermark < this.#watermarkMust) problems.push(`watermark ${watermark} fell behind ${this.#watermarkMust}`)
    if (watermark > this.#watermarkMay) problems.push(`watermark ${watermark} was never written`)
    // A refused record is not in the log, but its sample may stay in the head, from where it may be sealed.
    const isHalf = watermark > newest || (watermark < newest && !this.#wasRefused)
    if (isHalf) problems.push(`watermark ${watermark} and the newest window ${newest} are not of one record`)
    this.#watermarkMust = watermark
    return problems
  }
}

/** The store's own errors, each with a code; all others are bugs. */
export function isNamed(error: unknown): boolean {
  return error instanceof StorageError || error instanceof FileError
}

/** Where every simulation's wall clock starts. */
export const WALL_MS = Date.UTC(2026, 0, 1)

function valuesOf(samples: readonly ModelSample[]): Float64Array {
  return new Float64Array(BigUint64Array.from(samples, ({ bits }) => bits).buffer)
}

function waitFor(env: Env, forMs: number): Promise<void> {
  return new Promise((resolve) => void env.clock.setTimer(forMs, resolve))
}

/** A step that a life may come to, drawn. */
export function drawStep(random: SeededRandom): Step {
  const kinds = [
    'snapshot',
    'append',
    'append',
    'append',
    'append',
    'rollUp',
    'maintain',
    'flush',
    'delete',
    'wait',
    'reopen',
  ] as const
  const kind = random.pick(kinds)
  switch (kind) {
    case 'append': {
      const series = FLEET.map((_, index) => index).filter(() => random.chance(0.5))
      const ageMs = random.pick([0, 0, 0, MINUTE, 5 * MINUTE, 12 * MINUTE])
      return { kind, series, ageMs, count: 1 + random.below(4) }
    }
    case 'delete': {
      const fromAgeMs = random.below(15 * MINUTE)
      return { kind, code: random.pick(['200', '500']), fromAgeMs, toAgeMs: random.below(fromAgeMs + 1) }
    }
    case 'wait':
      return { kind, forMs: random.pick([1_000, MINUTE, 5 * MINUTE]) }
    default:
      return { kind }
  }
}
