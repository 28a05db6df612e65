/**
 * What one shard holds in memory: its series, their index, and the blocks that still take writes.
 *
 * Samples are addressed by keys: a raw series' key is its reference, a series with aggregate columns has the keys
 * `reference · COLUMN_STRIDE + column`.
 */
import { StorageError } from '../errors.js'
import { HeadIndex } from '../index/head-index.js'
import { checkCanonicalLabels, hashBytes } from '../model/canonical-labels.js'
import { COLUMN_STRIDE, isAbsent } from '../model/columns.js'
import { halvesOf } from '../model/sample.js'
import type { Rejection, RejectionReason, SampleBatch } from '../shard.js'
import { windowOfSamples } from '../window-batch.js'
import type { AppendLimits, HeadAppend } from './append-limits.js'
import { appendWindow } from './append-window.js'
import { HistogramStore } from './histogram-store.js'
import { CONFLICT, OpenBlock } from './open-block.js'
import { SeriesTable } from './series-table.js'

export interface HeadOptions {
  readonly blockSizeMs: number
  /** A namespace with a resolution: series have columns, and newer samples replace older ones. */
  readonly aggregated: boolean
}

const REFS_PER_PAUSE = 2048
/** The index may name this many times the live series before it is made anew. */
const REINDEX_RATIO = 1.25

export class Head {
  readonly series = new SeriesTable()
  readonly stride: number
  index: HeadIndex
  /** By block start. */
  readonly blocks = new Map<number, OpenBlock>()
  readonly #blockSizeMs: number
  readonly #aggregated: boolean

  constructor(options: HeadOptions) {
    this.#blockSizeMs = options.blockSizeMs
    this.#aggregated = options.aggregated
    this.stride = options.aggregated ? COLUMN_STRIDE : 1
    this.index = new HeadIndex(this.series)
  }

  get sizeBytes(): number {
    let size = this.series.sizeBytes + this.index.sizeBytes
    for (const block of this.blocks.values()) size += block.sizeBytes
    return size
  }

  get sampleCount(): number {
    let count = 0
    for (const block of this.blocks.values()) count += block.sampleCount
    return count
  }

  /** Finds or makes a series. `mayAdd` is asked before one is made and throws when it may not be. */
  resolve(bytes: Uint8Array, start: number, end: number, mayAdd: () => void): number {
    const hash = hashBytes(bytes, start, end)
    const known = this.series.find(bytes, start, end, hash)
    if (known !== 0) return known
    checkCanonicalLabels(bytes, start, end)
    mayAdd()
    const ref = this.series.add(bytes, start, end, hash)
    if (this.#aggregated && ref >= 2 ** 29) {
      throw new StorageError('LIMIT_EXCEEDED', `series reference ${ref} leaves no room for columns, wanted below 2^29`)
    }
    this.index.add(ref)
    return ref
  }

  /**
   * Stores the samples of a batch whose `seriesRefs` are keys. Refused samples are told, all others are stored.
   *
   * @throws {StorageError} `INVALID_ARGUMENT` for a timestamp that is not a whole number: nothing is stored then.
   */
  append(batch: SampleBatch, limits: AppendLimits): HeadAppend {
    checkTimestamps(batch)
    const asWindow = this.#aggregated ? this.#appendAsWindow(batch, limits) : null
    return asWindow ?? this.appendSamples(batch, limits)
  }

  /** The same, sample by sample, of a batch whose timestamps were checked. */
  appendSamples(batch: SampleBatch, limits: AppendLimits): HeadAppend {
    const { count, seriesRefs: keys, timestampsMs, values, startTimestampsMs, histograms } = batch
    const halves = halvesOf(values)
    const rejections: Rejection[] = []
    const reject = (sampleIndex: number, reason: RejectionReason) => rejections.push({ sampleIndex, reason })
    const { firstMs, lastMs } = limits
    const histogramCount = histograms?.histograms.length ?? 0
    let nextHistogram = 0
    let block: OpenBlock | undefined
    let blockStartMs = 0
    let blockEndMs = -1
    const mayRun = !this.#aggregated && histogramCount === 0 && startTimestampsMs === undefined
    const endMs = Math.floor(lastMs) + 1
    for (let k = 0; k < count; k++) {
      if (mayRun && block !== undefined && block.histograms === undefined) {
        k = block.appendRun(keys, timestampsMs, values, halves, k, count, firstMs, endMs)
        if (k === count) break
      }
      const timestampMs = timestampsMs[k]
      const isHistogram = nextHistogram < histogramCount && histograms?.sampleIndexes[nextHistogram] === k
      if (isHistogram) nextHistogram++
      if (timestampMs < firstMs) {
        reject(k, 'TOO_OLD')
        continue
      }
      if (timestampMs > lastMs) {
        reject(k, 'TOO_FAR_AHEAD')
        continue
      }
      if (block === undefined || timestampMs < blockStartMs || timestampMs >= blockEndMs) {
        block?.compressFullRows()
        block = this.blockAt(timestampMs, limits)
        blockStartMs = block.startMs
        blockEndMs = block.endMs
      }
      if (block.stripes !== undefined && !isHistogram && replaceInStripes(block, keys[k], timestampMs, halves, k))
        continue
      let slot = block.slotOf(keys[k])
      if (slot < 0) {
        if (!this.series.isLive(Math.floor(keys[k] / this.stride))) {
          reject(k, 'UNKNOWN_SERIES')
          continue
        }
        slot = block.addSlot(keys[k])
      }
      const startMs = startTimestampsMs === undefined ? 0 : startTimestampsMs[k]
      if (this.#aggregated && isAbsent(halves, k)) block.hasAbsent = true
      if (isHistogram) {
        if (!this.#appendHistogram(block, slot, batch, k, nextHistogram - 1, startMs)) reject(k, 'DUPLICATE')
      } else if (!block.replaces && block.histograms?.has(slot, timestampMs)) {
        reject(k, 'DUPLICATE')
      } else {
        if (block.replaces) block.removeHistogram(slot, timestampMs)
        if (block.append(slot, timestampMs, halves, k, startMs) === CONFLICT) reject(k, 'DUPLICATE')
      }
    }
    block?.compressFullRows()
    return { rejections, appendedCount: count - rejections.length }
  }

  /** Samples of one time are a window: null when these are none, or not the newest one. */
  #appendAsWindow(batch: SampleBatch, limits: AppendLimits): HeadAppend | null {
    const timestampMs = batch.timestampsMs[0]
    if (!(timestampMs >= limits.firstMs && timestampMs <= limits.lastMs)) return null
    const found = windowOfSamples(batch)
    const outcome = found === null ? null : appendWindow(this, found.window, limits)
    if (found === null || outcome === null) return null
    const unknown = new Set(outcome.unknown)
    const rejections: Rejection[] = []
    for (let k = 0; unknown.size > 0 && k < batch.count; k++) {
      if (unknown.has(found.places[k])) rejections.push({ sampleIndex: k, reason: 'UNKNOWN_SERIES' })
    }
    return { rejections, appendedCount: batch.count - rejections.length }
  }

  /** Takes the open blocks that `picks` names out of the head, so that nothing is written to them any more. */
  freeze(picks: (block: OpenBlock) => boolean): OpenBlock[] {
    const frozen = [...this.blocks.values()].filter(picks)
    for (const block of frozen) this.blocks.delete(block.startMs)
    return frozen
  }

  /**
   * Removes series before `before` that have no samples in any block of `held`. `tell` hears of some at a time, while they are
   * still known.
   *
   * They stay in the index until so many have gone that a new one is worth its while: without samples nobody sees them.
   */
  async evictIdle(
    held: () => readonly OpenBlock[],
    before: number,
    tell: (refs: Uint32Array) => void,
    pause: () => Promise<void> | undefined,
  ): Promise<void> {
    for (let first = 1; first < before; first += REFS_PER_PAUSE) {
      if (first > 1) await pause()
      // Blocks may have been opened meanwhile.
      const blocks = held()
      const idle: number[] = []
      for (let ref = first; ref < Math.min(before, first + REFS_PER_PAUSE); ref++) {
        if (this.series.isLive(ref) && !blocks.some((block) => this.#hasSlot(block, ref))) idle.push(ref)
      }
      if (idle.length === 0) continue
      tell(Uint32Array.from(idle))
      for (const ref of idle) this.series.remove(ref)
    }
    if (this.index.all().length > this.series.liveCount * REINDEX_RATIO + REFS_PER_PAUSE) await this.#reindex(pause)
  }

  #hasSlot(block: OpenBlock, ref: number): boolean {
    if (block.stripes !== undefined && block.stripes.slotOf(ref) >= 0) return true
    for (let column = 0; column < this.stride; column++) if (block.slotOf(ref * this.stride + column) >= 0) return true
    return false
  }

  /** A new index without the removed series; queries that run keep the old one. */
  async #reindex(pause: () => Promise<void> | undefined): Promise<void> {
    const index = new HeadIndex(this.series)
    // Series that are made meanwhile have larger references, and are reached in the turn in which the new index takes over.
    for (let ref = 1; ref < this.series.nextRef; ref++) {
      if (ref % REFS_PER_PAUSE === 0) await pause()
      if (this.series.isLive(ref)) index.add(ref)
    }
    this.index = index
  }

  #appendHistogram(
    block: OpenBlock,
    slot: number,
    batch: SampleBatch,
    k: number,
    histogramIndex: number,
    startMs: number,
  ): boolean {
    const timestampMs = batch.timestampsMs[k]
    const histogram = batch.histograms?.histograms[histogramIndex]
    if (histogram === undefined) return false
    // Where windows are replaced, the histogram stands beside the float of before and hides it.
    if (!block.replaces && block.hasSampleAt(slot, timestampMs)) return false
    block.histograms ??= new HistogramStore()
    const outcome = block.histograms.append(slot, timestampMs, startMs, histogram, block.replaces)
    if (outcome === 'stored') block.noteHistogram(timestampMs, startMs)
    return outcome !== 'conflict'
  }

  /** The open block of a time, made if there is none. */
  blockAt(timestampMs: number, limits: Pick<AppendLimits, 'segment' | 'nowMs'>): OpenBlock {
    const startMs = Math.floor(timestampMs / this.#blockSizeMs) * this.#blockSizeMs
    let block = this.blocks.get(startMs)
    if (block === undefined) {
      block = new OpenBlock(startMs, startMs + this.#blockSizeMs, this.#aggregated)
      block.firstSegment = limits.segment
      this.blocks.set(startMs, block)
    }
    block.lastAppendMs = limits.nowMs
    return block
  }
}

/** True when the sample stands raw in the block's stripes, where it is replaced. */
function replaceInStripes(
  block: OpenBlock,
  key: number,
  timestampMs: number,
  halves: Uint32Array,
  index: number,
): boolean {
  if (!block.stripes?.replace(key, timestampMs - block.startMs, halves, index)) return false
  if (isAbsent(halves, index)) block.hasAbsent = true
  const slot = block.slotOf(key)
  if (slot >= 0) block.removeHistogram(slot, timestampMs)
  return true
}

function checkTimestamps(batch: SampleBatch): void {
  const { count, timestampsMs } = batch
  let previous = 0
  for (let k = 0; k < count; k++) {
    // The samples of a scrape have one timestamp.
    if (timestampsMs[k] === previous) continue
    previous = timestampsMs[k]
    if (!Number.isSafeInteger(previous)) {
      throw new StorageError(
        'INVALID_ARGUMENT',
        `sample ${k} of the batch: timestamp ${timestampsMs[k]}, wanted whole milliseconds within ±2^53`,
      )
    }
  }
}
