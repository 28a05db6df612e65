/**
 * Which sealed blocks become one: generations of the same window, and small blocks whose larger window is complete.
 *
 * Levels are `LEVEL_FACTOR` times as long as the one below, aligned to the epoch, so that blocks nest and a year of 2 h
 * blocks is some thirty files.
 */
const LEVEL_FACTOR = 4
const LEVEL_COUNT = 5
const LEVEL_MS_MAX = 32 * 24 * 3_600_000
/** Generations of one window are merged when there are so many, or when nothing came for `LATE_QUIET_MS`. */
const GENERATIONS_MAX = 4
const LATE_QUIET_MS = 10 * 60_000
/** A merge holds the indexes of its blocks in memory: some 100 bytes a series and block. */
const SERIES_PER_MERGE_MAX = 2_000_000

export interface PlannedBlock {
  readonly startMs: number
  readonly endMs: number
  /** On the monotonic clock; for blocks found on disk when the database was opened. */
  readonly createdMs: number
  readonly hasDeletions: boolean
  readonly seriesCount: number
}

export interface MergePlan<T> {
  readonly startMs: number
  readonly endMs: number
  readonly blocks: readonly T[]
}

export interface MergeOptions {
  readonly blockSizeMs: number
  readonly retentionMs: number
  readonly nowMs: number
  /** Samples may still come to blocks that end after this. */
  readonly completeBeforeMs: number
  /** Merge late generations and deletions now. */
  readonly eager: boolean
}

/** The next merge that is worth doing, or `undefined`. `blocks` are all sealed blocks of one shard. */
export function planMerge<T extends PlannedBlock>(
  blocks: readonly T[],
  options: MergeOptions,
): MergePlan<T> | undefined {
  return planGenerations(blocks, options) ?? planLevels(blocks, options)
}

function planGenerations<T extends PlannedBlock>(
  blocks: readonly T[],
  options: MergeOptions,
): MergePlan<T> | undefined {
  for (const cluster of overlapping(blocks)) {
    const newestMs = Math.max(...cluster.blocks.map((block) => block.createdMs))
    const isQuiet = options.nowMs - newestMs >= LATE_QUIET_MS
    const isDue = options.eager || isQuiet || cluster.blocks.length >= GENERATIONS_MAX
    if (isDue && (cluster.blocks.length > 1 || cluster.blocks[0].hasDeletions)) return cluster
  }
  return undefined
}

function planLevels<T extends PlannedBlock>(blocks: readonly T[], options: MergeOptions): MergePlan<T> | undefined {
  const sizeMsMax = Math.min(LEVEL_MS_MAX, options.retentionMs / 10)
  // The largest first, so that a backfill is not written again level by level; in daily life only one is complete at a time.
  for (let level = LEVEL_COUNT - 1; level > 0; level--) {
    const sizeMs = options.blockSizeMs * LEVEL_FACTOR ** level
    if (sizeMs > sizeMsMax) continue
    const plan = planLevel(
      blocks,
      sizeMs,
      options.completeBeforeMs,
      level > 1 ? SERIES_PER_MERGE_MAX : Number.POSITIVE_INFINITY,
    )
    if (plan !== undefined) return plan
  }
  return undefined
}

function planLevel<T extends PlannedBlock>(
  blocks: readonly T[],
  sizeMs: number,
  completeBeforeMs: number,
  seriesCountMax: number,
): MergePlan<T> | undefined {
  const windows = new Map<number, T[]>()
  for (const block of blocks) {
    if (block.endMs - block.startMs >= sizeMs) continue
    const startMs = Math.floor(block.startMs / sizeMs) * sizeMs
    const window = windows.get(startMs)
    if (window === undefined) windows.set(startMs, [block])
    else window.push(block)
  }
  for (const [startMs, window] of windows) {
    const endMs = startMs + sizeMs
    if (window.length < 2 || endMs > completeBeforeMs) continue
    // A larger block over the same time takes part too, so that what is hidden by newer samples is dropped.
    const all = blocks.filter((block) => block.startMs < endMs && block.endMs > startMs)
    if (all.reduce((sum, block) => sum + block.seriesCount, 0) > seriesCountMax) continue
    return {
      startMs: Math.min(startMs, ...all.map((block) => block.startMs)),
      endMs: Math.max(endMs, ...all.map((block) => block.endMs)),
      blocks: all,
    }
  }
  return undefined
}

/** Blocks that overlap in time, with the range that they cover together. */
function overlapping<T extends PlannedBlock>(blocks: readonly T[]): MergePlan<T>[] {
  const sorted = [...blocks].sort((a, b) => a.startMs - b.startMs || b.endMs - a.endMs)
  const clusters: { startMs: number; endMs: number; blocks: T[] }[] = []
  for (const block of sorted) {
    const last = clusters.at(-1)
    if (last !== undefined && block.startMs < last.endMs) {
      last.blocks.push(block)
      last.endMs = Math.max(last.endMs, block.endMs)
    } else clusters.push({ startMs: block.startMs, endMs: block.endMs, blocks: [block] })
  }
  return clusters
}
