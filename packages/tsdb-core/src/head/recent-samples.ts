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
import type { RecentSamples } from '../shard.js'
import type { OpenBlock } from './open-block.js'
import { ROW_SAMPLES, SLOTS_PER_PAGE, SLOTS_PER_PAGE_BITS } from './row-slab.js'

const NONE = 0xffffffff
const PAGE_SAMPLES = ROW_SAMPLES * SLOTS_PER_PAGE
const chunkTimes = new Float64Array(ROW_SAMPLES)
const chunkValues = new Float64Array(ROW_SAMPLES)
const chunkHalves = halvesOf(chunkValues)

/**
 * What was read last stays in its arrays: ones made for each call would keep the collector busy, since they are many and large.
 * One for each shard, as callers of different ones do not know of each other.
 */
export class RecentReader {
  readonly #kernels: WindowKernels | null
  #sampleOffsets: Uint32Array = new Uint32Array(1025)
  #slots: Uint32Array = new Uint32Array(1024)
  #times: Float64Array = new Float64Array(8192)
  #values: Float64Array = new Float64Array(8192)

  /** Without kernels (null) TypeScript does the same. */
  constructor(kernels: WindowKernels | null = nativeKernels() ?? null) {
    this.#kernels = kernels
  }

  /** Samples of `[startMs, endMs)`, which must lie in the block, of the series with these keys. Valid until the next call. */
  read(block: OpenBlock, keys: Uint32Array, startMs: number, endMs: number): RecentSamples {
    const count = keys.length
    const sampleOffsets = (this.#sampleOffsets = grownU32(this.#sampleOffsets, count + 1))
    const slots = (this.#slots = grownU32(this.#slots, count))
    const unread: number[] = []
    // Chunks of samples that came out of order may hold some of any time.
    for (let i = 0; i < count; i++) {
      const slot = block.slotOf(keys[i])
      slots[i] = slot
      if (slot < 0 || (!block.overlaps(slot) && block.histograms?.run(slot) === undefined)) continue
      slots[i] = NONE
      unread.push(i)
    }
    const isInOrder = unread.length === 0
    sampleOffsets[0] = 0
    for (let i = 0; i < count; ) {
      if (slots[i] === NONE) {
        sampleOffsets[i + 1] = sampleOffsets[i]
        i++
        continue
      }
      this.#reserve(sampleOffsets[i])
      if (this.#kernels !== null) {
        const to = this.#pageEnd(i, count)
        i = this.#readPage(this.#kernels, block, i, to, startMs, endMs)
        if (i === to) continue
      }
      const added = this.#readSeries(block, slots[i], startMs, endMs, sampleOffsets[i])
      if (added < 0) unread.push(i)
      sampleOffsets[i + 1] = sampleOffsets[i] + Math.max(0, added)
      i++
    }
    if (!isInOrder) unread.sort((a, b) => a - b)
    return { sampleOffsets, timestampsMs: this.#times, values: this.#values, unread }
  }

  /** Room for a page of full rows and their last chunks. */
  #reserve(at: number): void {
    if (at + PAGE_SAMPLES <= this.#values.length) return
    this.#times = grownF64(this.#times, at + PAGE_SAMPLES)
    this.#values = grownF64(this.#values, at + PAGE_SAMPLES)
  }

  /** The end of the series from place i on that are of one page. */
  #pageEnd(i: number, count: number): number {
    const slots = this.#slots
    const page = slots[i] >>> SLOTS_PER_PAGE_BITS
    const endMax = Math.min(count, i + SLOTS_PER_PAGE)
    let end = i + 1
    while (end < endMax && slots[end] >>> SLOTS_PER_PAGE_BITS === page) end++
    return end
  }

  /** Reads series `[from, to)`, all of one page; returns the first place that was not read. */
  #readPage(
    kernels: WindowKernels,
    block: OpenBlock,
    from: number,
    to: number,
    startMs: number,
    endMs: number,
  ): number {
    const { rows } = block
    const page = this.#slots[from] >>> SLOTS_PER_PAGE_BITS
    return kernels.readRecentRows(
      rows.offsets[page],
      rows.values[page],
      rows.counts,
      block.lastChunks,
      this.#slots,
      from,
      to,
      startMs - block.startMs,
      endMs - block.startMs,
      block.startMs,
      this.#times,
      this.#values,
      this.#sampleOffsets,
    )
  }

  /** Adds the samples of one series behind `at` and returns how many they are; -1 when some may lie further back. */
  #readSeries(block: OpenBlock, slot: number, startMs: number, endMs: number, at: number): number {
    const { rows } = block
    const times = this.#times
    const values = this.#values
    const startOffset = startMs - block.startMs
    const endOffset = endMs - block.startMs
    const page = slot >>> SLOTS_PER_PAGE_BITS
    const lane = slot & (SLOTS_PER_PAGE - 1)
    const offsets = rows.offsets[page]
    const rowValues = rows.values[page]
    const rowCount = rows.counts[slot]
    let last = rowCount
    while (last > 0 && offsets[(last - 1) * SLOTS_PER_PAGE + lane] >= endOffset) last--
    let first = last
    while (first > 0 && offsets[(first - 1) * SLOTS_PER_PAGE + lane] >= startOffset) first--
    let to = at
    const chunk = first === 0 ? block.lastChunk(slot) : NONE
    if (chunk !== NONE) {
      const kept = firstKept(offsets, lane, rowCount, startOffset)
      if (kept < 0) {
        const added = readChunk(block, chunk, startMs, endMs, times, halvesOf(values), at)
        if (added < 0) return -1
        to += added
      } else {
        for (let place = kept * SLOTS_PER_PAGE + lane; place < PAGE_SAMPLES; place += SLOTS_PER_PAGE, to++) {
          if (offsets[place] >= endOffset) break
          times[to] = block.startMs + offsets[place]
          copyValue(rowValues, rows.halves[page], place, values, to)
        }
      }
    }
    for (let place = first * SLOTS_PER_PAGE + lane; first < last; first++, place += SLOTS_PER_PAGE, to++) {
      times[to] = block.startMs + offsets[place]
      copyValue(rowValues, rows.halves[page], place, values, to)
    }
    return to - at
  }
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
  halves: Uint32Array,
  at: number,
): number {
  const column = block.columnOf(chunk)
  if (block.columnLastMs(column) < startMs) return 0
  const previous = block.previousChunk(chunk)
  if (previous !== NONE && block.columnLastMs(block.columnOf(previous)) >= startMs) return -1
  const count = block.readColumn(column, chunkTimes, 0)
  block.readChunkValues(chunk, chunkValues, 0)
  let added = 0
  for (let i = 0; i < count; i++) {
    if (chunkTimes[i] < startMs || chunkTimes[i] >= endMs) continue
    times[at + added] = chunkTimes[i]
    halves[(at + added) * 2] = chunkHalves[i * 2]
    halves[(at + added) * 2 + 1] = chunkHalves[i * 2 + 1]
    added++
  }
  return added
}
