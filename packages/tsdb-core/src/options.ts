/**
 * Settings of a database and of its namespaces, with defaults and the reasons for them.
 */
import type { Env } from './env/env.js'
import { StorageError } from './errors.js'
import type { AggregateColumn } from './model/aggregate.js'
import { checkOptionNames, describeValue } from './option-names.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Where raw samples live; always there. */
export const DEFAULT_NAMESPACE = 'default'
/** Offsets inside a block are 32 bits of milliseconds, so no block of the head is longer than this. */
export const BLOCK_SIZE_MS_MAX = 40 * DAY

/**
 * When an append resolves.
 *
 * - `always`: after its records are synced to disk (group commit). A crash of process or machine loses nothing acknowledged.
 * - `interval`: after the record is written to the operating system; synced every `syncIntervalMs`. A killed process loses
 *   nothing, a power cut up to one interval.
 * - `never`: as `interval`, but the operating system syncs when it likes. A power cut may lose half a minute and more.
 */
export type SyncMode = 'always' | 'interval' | 'never'

export interface DatabaseOptions {
  /** The data folder, made when missing. Absent: everything stays in memory and is gone after `close`. */
  readonly directory?: string
  /** The platform. Absent: Node's. */
  readonly env?: Env
  /** Namespaces to have besides those already on disk; `default` may be among them. Options here win over stored ones. */
  readonly namespaces?: Readonly<Record<string, Partial<NamespaceOptions>>>
  readonly syncMode?: SyncMode
  /** With `syncMode: 'interval'`. Default 100. */
  readonly syncIntervalMs?: number
  /** A log segment is closed when it is this long. Default 64 MiB. */
  readonly segmentSizeBytes?: number
  /**
   * One budget for head, caches and running queries. Default 1 GiB. Above it appends fail with `UNAVAILABLE` (try again
   * after a moment) and queries with `LIMIT_EXCEEDED`.
   */
  readonly memoryBytesMax?: number
  /** Series in the head of one namespace; a new one above it fails with `LIMIT_EXCEEDED`. Default 5,000,000. */
  readonly seriesCountMax?: number
  /** New series a second and namespace, averaged over ten seconds. Default 100,000. */
  readonly newSeriesPerSecondMax?: number
  /** A sample may be this far ahead of the wall clock. Default 10 minutes. */
  readonly futureMsMax?: number
  /** Appends fail with `READ_ONLY` while fewer bytes are free on the disk. Default 256 MiB; 0 switches it off. */
  readonly diskReserveBytes?: number
  /** Pause between rounds of sealing, merging, expiring and truncating. Default 10 s; 0: only by `maintain()`. */
  readonly maintenanceIntervalMs?: number
  /** Open blocks are sealed early when the commit log has grown beyond this, so that it can be removed. Default 1 GiB. */
  readonly logSizeBytesMax?: number
  /** Told of what was repaired, quarantined or could not be done in the background. Default: nothing. */
  readonly onNotice?: (notice: Notice) => void
}

/** Something that an operator should read; never the only trace of a lost write. */
export interface Notice {
  readonly severity: 'info' | 'warning' | 'error'
  readonly message: string
}

export interface NamespaceOptions {
  /** Samples older than this are refused and expire; `Infinity` keeps all and accepts any time from 0 on. Default 15 days. */
  readonly retentionMs: number
  /** The oldest blocks go when sealed blocks take more; 0: no limit. */
  readonly retentionSizeBytes: number
  /** Time that one open block covers. Default 2 h; for a resolution of 1 m or more 12 h and up. At most 40 days. */
  readonly blockSizeMs: number
  /** 0 for raw samples, else the step between the windows that are stored. */
  readonly resolutionMs: number
  /** Aggregates that a mapping rule keeps here for each window, each as a column of its series. Empty for raw samples. */
  readonly columns: readonly AggregateColumn[]
  /** Slices by hash of the labels; fixed when the namespace is made. Default 1. */
  readonly shardCount: number
}

// Written as records, so that the compiler misses an option that is not listed.
const NAMESPACE_OPTION_NAMES = Object.keys({
  retentionMs: true,
  retentionSizeBytes: true,
  blockSizeMs: true,
  resolutionMs: true,
  columns: true,
  shardCount: true,
} satisfies Record<keyof NamespaceOptions, true>)

const DATABASE_OPTION_NAMES = Object.keys({
  directory: true,
  env: true,
  namespaces: true,
  syncMode: true,
  syncIntervalMs: true,
  segmentSizeBytes: true,
  memoryBytesMax: true,
  seriesCountMax: true,
  newSeriesPerSecondMax: true,
  futureMsMax: true,
  diskReserveBytes: true,
  maintenanceIntervalMs: true,
  logSizeBytesMax: true,
  onNotice: true,
} satisfies Record<keyof DatabaseOptions, true>)

/** @throws {StorageError} `INVALID_ARGUMENT` for an option that does not exist, a directory that is no path, a sync mode unknown. */
export function checkDatabaseOptions(options: DatabaseOptions): void {
  checkOptionNames('Database.open', options, DATABASE_OPTION_NAMES)
  const { directory, namespaces, syncMode } = options
  if (directory !== undefined && (typeof directory !== 'string' || directory === '')) {
    throw invalid(`Database.open: directory is ${describeValue(directory)}, wanted the path of a folder`)
  }
  if (syncMode !== undefined && !['always', 'interval', 'never'].includes(syncMode)) {
    throw invalid(`Database.open: syncMode is ${describeValue(syncMode)}, wanted always, interval or never`)
  }
  for (const [name, one] of Object.entries(namespaces ?? {})) checkNamespaceOptionNames(name, one)
}

/** @throws {StorageError} `INVALID_ARGUMENT` for an option that does not exist. */
export function checkNamespaceOptionNames(name: string, given: Partial<NamespaceOptions>): void {
  checkOptionNames(`namespace ${name}`, given, NAMESPACE_OPTION_NAMES)
}

/** Fills in defaults, which depend on the resolution. */
export function namespaceOptions(given: Partial<NamespaceOptions> = {}): NamespaceOptions {
  const resolutionMs = given.resolutionMs ?? 0
  return {
    retentionMs: given.retentionMs ?? 15 * DAY,
    retentionSizeBytes: given.retentionSizeBytes ?? 0,
    // Some 480 samples a series and block: 2 h at 15 s, 12 h at 1 m, 20 days at 1 h.
    blockSizeMs: given.blockSizeMs ?? (resolutionMs === 0 ? 2 * HOUR : blockSizeFor(resolutionMs)),
    resolutionMs,
    columns: given.columns ?? [],
    shardCount: given.shardCount ?? 1,
  }
}

function blockSizeFor(resolutionMs: number): number {
  return Math.min(20 * DAY, Math.max(2 * HOUR, Math.ceil((480 * resolutionMs) / (12 * HOUR)) * 12 * HOUR))
}

/** @throws {StorageError} `INVALID_ARGUMENT` naming the option, what came and what is allowed. */
export function checkNamespace(name: string, options: NamespaceOptions): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(name)) {
    throw invalid(
      `namespace name ${JSON.stringify(name)}: wanted 1 to 100 of A-Z a-z 0-9 _ . - and a letter or digit first`,
    )
  }
  const where = `namespace ${name}`
  if (!(options.retentionMs > 0)) throw invalid(`${where}: retentionMs is ${options.retentionMs}, wanted more than 0`)
  if (!(options.retentionSizeBytes >= 0)) {
    throw invalid(`${where}: retentionSizeBytes is ${options.retentionSizeBytes}, wanted 0 or more`)
  }
  if (!isWhole(options.blockSizeMs, 1_000, BLOCK_SIZE_MS_MAX)) {
    throw invalid(
      `${where}: blockSizeMs is ${options.blockSizeMs}, wanted a whole number from 1000 to ${BLOCK_SIZE_MS_MAX}`,
    )
  }
  if (!isWhole(options.resolutionMs, 0, BLOCK_SIZE_MS_MAX)) {
    throw invalid(
      `${where}: resolutionMs is ${options.resolutionMs}, wanted a whole number from 0 to ${BLOCK_SIZE_MS_MAX}`,
    )
  }
  if (!isWhole(options.shardCount, 1, 1024)) {
    throw invalid(`${where}: shardCount is ${options.shardCount}, wanted a whole number from 1 to 1024`)
  }
}

/** @throws {StorageError} `INVALID_ARGUMENT` naming an option that stays what it was when the namespace was made. */
export function checkNamespaceChange(name: string, before: NamespaceOptions, after: NamespaceOptions): void {
  for (const fixed of ['blockSizeMs', 'resolutionMs', 'shardCount'] as const) {
    if (after[fixed] === before[fixed]) continue
    throw invalid(`namespace ${name}: ${fixed} is ${before[fixed]} and cannot become ${after[fixed]}`)
  }
}

function isWhole(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max
}

function invalid(message: string): StorageError {
  return new StorageError('INVALID_ARGUMENT', message)
}
