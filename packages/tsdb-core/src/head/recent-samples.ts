/**
 * The newest samples of many series, straight from the rows of one open block: no selector, no labels, no merge.
 *
 * Where a row was compressed a moment ago the range may begin in its last chunk. Only full rows are compressed, and their samples
 * stand in the row's memory until newer ones take their places, so that mostly nothing is decoded. Series whose samples may
 * lie further back, or not in order, or are histograms, are told and left to `select`.
 *
 * Rust twin: native/windows/src/recent.rs.
 */
import { nativeKernels, type WindowKernels } from '@varve/native'
import { grownF64, grownU32 } from '../index/growable.js'
import { halvesOf } from '../model/sample.js'
import { type RecentSamples, RUN_STRIDE } from '../shard.js'
import type { OpenBlock } from './open-block.js'
import { ROW_SAMPLES, SLOTS_PER_PAGE, SLOTS_PER_PAGE_BITS } from './row-slab.js'

const NONE = 0xffffffff
const chunkTimes = new Float64Array(ROW_SAMPLES)
const chunkValues = new Float64Array(ROW_SAMPLES)
const chunkHalves = halvesOf(chunkValues)
/** Places of the samples of a run in their rows. */
const picked = new Uint8Array(ROW_SAMPLES)

/**
 * What was read last stays in its arrays: ones made for each call would keep the collector busy, since they are many and large.
 * One for each shard, as callers of different ones do not know of each other.
 */
export class RecentReader {
  readonly #kernels: WindowKernels | null
  #slots: Uint32Array = new Uint32Array(1024)
  #runs: Uint32Array = new Uint32Array(1024 * RUN_STRIDE)
  #times: Float64Array = new Float64Array(8192)
  #values: Float64Array = new Float64Array(8192)
  readonly #offsetPages: Uint32Array[] = []
  readonly #valuePages: Float64Array[] = []
  #runCount = 0
  #timesLength = 0
  #valuesLength = 0
  /** The same for kernels, with the pages that were begun and the number of the last one. */
  readonly #progress = new Uint32Array(5)

  /** Without kernels (null) TypeScript does the same. */
  constructor(kernels: WindowKernels | null = nativeKernels() ?? null) {
    this.#kernels = kernels
  }

  /** Samples of `[startMs, endMs)`, which must lie in the block, of the series with these keys. Valid until the next call. */
  read(block: OpenBlock, keys: Uint32Array, startMs: number, endMs: number): RecentSamples {
    const count = keys.length
    this.#slots = grownU32(this.#slots, count)
    this.#runs = grownU32(this.#runs, count * RUN_STRIDE)
    this.#runCount = 0
    this.#timesLength = 0
    this.#valuesLength = 0
    const unread = this.#findSlots(block, keys)
    const isInOrder = unread.length === 0
    if (this.#kernels !== null) this.#findPages(block, count)
    for (let i = 0; i < count; ) {
      this.#reserve((count - i) * ROW_SAMPLES)
      i =
        this.#kernels === null
          ? this.#readRows(block, i, count, startMs, endMs)
          : this.#readNatively(this.#kernels, block, i, count, startMs, endMs)
      if (i === count) break
      if (!this.#readChunked(block, i, startMs, endMs)) unread.push(i)
      i++
    }
    if (!isInOrder) unread.sort((a, b) => a - b)
    return {
      runCount: this.#runCount,
      runs: this.#runs,
      timestampsMs: this.#times,
      values: this.#values,
      unread,
    }
  }

  /** Fills `#slots`, with `NONE` for series that are not to be read; returns places of those that have samples all the same. */
  #findSlots(block: OpenBlock, keys: Uint32Array): number[] {
    const slots = this.#slots
    const { histograms } = block
    const unread: number[] = []
    for (let i = 0; i < keys.length; i++) {
      const slot = block.slotOf(keys[i])
      slots[i] = slot // -1 becomes `NONE`.
      // Chunks of samples that came out of order may hold some of any time.
      if (slot < 0 || (!block.overlaps(slot) && histograms?.run(slot) === undefined)) continue
      slots[i] = NONE
      unread.push(i)
    }
    return unread
  }

  /** Room for samples behind those that were read, and for a series that has a chunk and a row of them. */
  #reserve(length: number): void {
    this.#times = grownF64(this.#times, this.#timesLength + length + ROW_SAMPLES)
    this.#values = grownF64(this.#values, this.#valuesLength + length + ROW_SAMPLES)
  }

  /** The pages of the slots, in order. */
  #findPages(block: OpenBlock, count: number): void {
    const { offsets, values } = block.rows
    const slots = this.#slots
    this.#offsetPages.length = 0
    this.#valuePages.length = 0
    let last = -1
    for (let i = 0; i < count; i++) {
      const page = slots[i] >>> SLOTS_PER_PAGE_BITS
      if (page === last || slots[i] === NONE) continue
      last = page
      this.#offsetPages.push(offsets[page])
      this.#valuePages.push(values[page])
    }
    this.#progress.fill(0)
  }

  /** As `#readRows`. */
  #readNatively(
    kernels: WindowKernels,
    block: OpenBlock,
    from: number,
    count: number,
    startMs: number,
    endMs: number,
  ): number {
    const progress = this.#progress
    progress[0] = this.#runCount
    progress[1] = this.#timesLength
    progress[2] = this.#valuesLength
    const read = kernels.readRecentRows(
      this.#offsetPages,
      this.#valuePages,
      block.rows.counts,
      block.lastChunks,
      this.#slots,
      from,
      count,
      startMs - block.startMs,
      endMs - block.startMs,
      block.startMs,
      this.#runs,
      this.#times,
      this.#values,
      progress,
    )
    this.#runCount = progress[0]
    this.#timesLength = progress[1]
    this.#valuesLength = progress[2]
    return read
  }

  /** Adds series from place `from` on; returns the first place that was not read: `count`, or where samples may stand elsewhere. */
  #readRows(block: OpenBlock, from: number, count: number, startMs: number, endMs: number): number {
    const slots = this.#slots
    for (let i = from; i < count; ) {
      const slot = slots[i]
      if (slot === NONE) {
        this.#pushRun(++i, 0, 0)
        continue
      }
      let width = 1
      const widthMax = Math.min(count - i, SLOTS_PER_PAGE - (slot & (SLOTS_PER_PAGE - 1)))
      while (width < widthMax && slots[i + width] === slot + width) width++
      const read = this.#readLanes(block, i, slot, width, startMs - block.startMs, endMs - block.startMs)
      if (read === 0) return i
      i += read
    }
    return count
  }

  /**
   * Adds the series at place i and those behind it, up to `width`, that have the same times; returns how many these are. 0:
   * samples of the first one may stand elsewhere.
   */
  #readLanes(
    block: OpenBlock,
    i: number,
    slot: number,
    widthMax: number,
    startOffset: number,
    endOffset: number,
  ): number {
    const { rows, lastChunks } = block
    const page = slot >>> SLOTS_PER_PAGE_BITS
    const lane = slot & (SLOTS_PER_PAGE - 1)
    const offsets = rows.offsets[page]
    const { counts } = rows
    const count = counts[slot]
    let width = 1
    while (width < widthMax && counts[slot + width] === count) width++
    let last = count
    while (last > 0 && offsets[(last - 1) * SLOTS_PER_PAGE + lane] >= endOffset) last--
    let first = last
    while (first > 0 && offsets[(first - 1) * SLOTS_PER_PAGE + lane] >= startOffset) first--
    if (last < count) width = notBefore(offsets, last * SLOTS_PER_PAGE + lane, width, endOffset)
    let sampleCount = 0
    if (first > 0) width = before(offsets, (first - 1) * SLOTS_PER_PAGE + lane, width, startOffset)
    else {
      const hasChunk = lastChunks[slot] !== NONE
      let same = 1
      while (same < width && (lastChunks[slot + same] !== NONE) === hasChunk) same++
      width = same
      if (hasChunk) {
        const from = firstKept(offsets, lane, count, startOffset)
        if (from < 0) return 0
        width = before(offsets, (from - 1) * SLOTS_PER_PAGE + lane, width, startOffset)
        let kept = from
        while (kept < ROW_SAMPLES && offsets[kept * SLOTS_PER_PAGE + lane] < endOffset) picked[sampleCount++] = kept++
        if (kept < ROW_SAMPLES) width = notBefore(offsets, kept * SLOTS_PER_PAGE + lane, width, endOffset)
      }
    }
    for (let at = first; at < last; at++) picked[sampleCount++] = at
    for (let k = 0; k < sampleCount; k++) width = alike(offsets, picked[k] * SLOTS_PER_PAGE + lane, width)
    this.#pushRun(i + width, sampleCount, width)
    const values = this.#values
    let to = this.#valuesLength - sampleCount * width
    for (let k = 0; k < sampleCount; k++) {
      const at = picked[k] * SLOTS_PER_PAGE + lane
      this.#times[this.#timesLength - sampleCount + k] = block.startMs + offsets[at]
      for (let l = 0; l < width; l++) copyValue(rows.values[page], rows.halves[page], at + l, values, to++)
    }
    return width
  }

  /** Takes what a run needs of the columns. Series without samples need no run of their own. */
  #pushRun(end: number, sampleCount: number, width: number): void {
    const runs = this.#runs
    let at = this.#runCount * RUN_STRIDE
    if (sampleCount === 0 && at > 0 && runs[at - RUN_STRIDE + 1] === 0) at -= RUN_STRIDE
    else this.#runCount++
    runs[at] = end
    runs[at + 1] = sampleCount
    runs[at + 2] = sampleCount === 0 ? 0 : this.#timesLength
    runs[at + 3] = sampleCount === 0 ? 0 : this.#valuesLength
    this.#timesLength += sampleCount
    this.#valuesLength += sampleCount * width
  }

  /** Adds the series at place i, decoding its last chunk. False: some of its samples may lie further back. */
  #readChunked(block: OpenBlock, i: number, startMs: number, endMs: number): boolean {
    const { rows } = block
    const slot = this.#slots[i]
    const page = slot >>> SLOTS_PER_PAGE_BITS
    const offsets = rows.offsets[page]
    const times = this.#times
    const values = this.#values
    const timesStart = this.#timesLength
    const valuesStart = this.#valuesLength
    const inChunk = readChunk(block, block.lastChunk(slot), startMs, endMs, times, timesStart, values, valuesStart)
    let sampleCount = Math.max(0, inChunk)
    for (
      let at = slot & (SLOTS_PER_PAGE - 1), k = rows.counts[slot];
      inChunk >= 0 && k > 0;
      k--, at += SLOTS_PER_PAGE
    ) {
      // All of the row are newer than the chunk, so that those before the end are in the range.
      if (block.startMs + offsets[at] >= endMs) break
      times[timesStart + sampleCount] = block.startMs + offsets[at]
      copyValue(rows.values[page], rows.halves[page], at, values, valuesStart + sampleCount)
      sampleCount++
    }
    this.#pushRun(i + 1, sampleCount, 1)
    return inChunk >= 0
  }
}

/** How many of the offsets from `at` on are before the limit; at least the first one is. */
function before(offsets: Uint32Array, at: number, width: number, limit: number): number {
  let same = 1
  while (same < width && offsets[at + same] < limit) same++
  return same
}

/** How many are not before it. */
function notBefore(offsets: Uint32Array, at: number, width: number, limit: number): number {
  let same = 1
  while (same < width && offsets[at + same] >= limit) same++
  return same
}

/** How many are the same as the first one. */
function alike(offsets: Uint32Array, at: number, width: number): number {
  const offset = offsets[at]
  let same = 1
  while (same < width && offsets[at + same] === offset) same++
  return same
}

/** Bits of a NaN do not survive as a number. */
function copyValue(from: Float64Array, fromHalves: Uint32Array, place: number, to: Float64Array, at: number): void {
  const value = from[place]
  if (!Number.isNaN(value)) {
    to[at] = value
    return
  }
  const halves = halvesOf(to)
  halves[at * 2] = fromHalves[place * 2]
  halves[at * 2 + 1] = fromHalves[place * 2 + 1]
}

/**
 * The first of the last chunk's samples in the range among those that still stand in the row's memory: in places
 * `[rowCount, ROW_SAMPLES)`, as newer ones take the first places. -1: more of them may have been in the range.
 */
function firstKept(offsets: Uint32Array, lane: number, rowCount: number, startOffset: number): number {
  for (let place = ROW_SAMPLES - 1; place >= rowCount; place--) {
    if (offsets[place * SLOTS_PER_PAGE + lane] < startOffset) return place + 1
  }
  return -1
}

/** Adds what the last chunk has of the range and returns how many samples that is; -1 when they may lie elsewhere too. */
function readChunk(
  block: OpenBlock,
  chunk: number,
  startMs: number,
  endMs: number,
  times: Float64Array,
  timesAt: number,
  values: Float64Array,
  valuesAt: number,
): number {
  const column = block.columnOf(chunk)
  if (block.columnLastMs(column) < startMs) return 0
  const previous = block.previousChunk(chunk)
  if (previous !== NONE && block.columnLastMs(block.columnOf(previous)) >= startMs) return -1
  const count = block.readColumn(column, chunkTimes, 0)
  block.readChunkValues(chunk, chunkValues, 0)
  const halves = halvesOf(values)
  let added = 0
  for (let i = 0; i < count; i++) {
    if (chunkTimes[i] < startMs || chunkTimes[i] >= endMs) continue
    times[timesAt + added] = chunkTimes[i]
    halves[(valuesAt + added) * 2] = chunkHalves[i * 2]
    halves[(valuesAt + added) * 2 + 1] = chunkHalves[i * 2 + 1]
    added++
  }
  return added
}
