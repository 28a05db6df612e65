/**
 * The newest samples of many series, straight from the rows of one open block: no selector, no labels, no merge.
 *
 * Where a row was compressed a moment ago the range may begin in its last chunk. Only full rows are compressed, and their samples
 * stand in the row's memory until newer ones take their places, so that mostly nothing is decoded. Series whose samples may
 * lie further back, or not in order, or are histograms, are told and left to `select`.
 */
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
  #sampleOffsets: Uint32Array = new Uint32Array(1025)
  #times: Float64Array = new Float64Array(8192)
  #values: Float64Array = new Float64Array(8192)

  /** Samples of `[startMs, endMs)`, which must lie in the block, of the series with these keys. Valid until the next call. */
  read(block: OpenBlock, keys: Uint32Array, startMs: number, endMs: number): RecentSamples {
    const { rows } = block
    const count = keys.length
    const sampleOffsets = (this.#sampleOffsets = grownU32(this.#sampleOffsets, count + 1))
    let times = this.#times
    let values = this.#values
    let halves = halvesOf(values)
    const unread: number[] = []
    const startOffset = startMs - block.startMs
    const endOffset = endMs - block.startMs
    let at = 0
    for (let i = 0; i < count; i++) {
      sampleOffsets[i] = at
      const slot = block.slotOf(keys[i])
      if (slot < 0) continue
      // Chunks of samples that came out of order may hold some of any time.
      if (block.overlaps(slot) || block.histograms?.run(slot) !== undefined) {
        unread.push(i)
        continue
      }
      if (at + 2 * ROW_SAMPLES > values.length) {
        times = this.#times = grownF64(times, at + 2 * ROW_SAMPLES)
        values = this.#values = grownF64(values, at + 2 * ROW_SAMPLES)
        halves = halvesOf(values)
      }
      const page = slot >>> SLOTS_PER_PAGE_BITS
      const lane = slot & (SLOTS_PER_PAGE - 1)
      const offsets = rows.offsets[page]
      const rowValues = rows.values[page]
      const rowHalves = rows.halves[page]
      const rowCount = rows.counts[slot]
      let last = rowCount
      while (last > 0 && offsets[(last - 1) * SLOTS_PER_PAGE + lane] >= endOffset) last--
      let first = last
      while (first > 0 && offsets[(first - 1) * SLOTS_PER_PAGE + lane] >= startOffset) first--
      let place = first * SLOTS_PER_PAGE + lane
      const end = last * SLOTS_PER_PAGE + lane
      const chunk = first === 0 ? block.lastChunk(slot) : NONE
      if (chunk !== NONE) {
        const kept = firstKept(offsets, lane, rowCount, startOffset)
        if (kept < 0) {
          const added = readChunk(block, chunk, startMs, endMs, times, halves, at)
          if (added < 0) {
            unread.push(i)
            continue
          }
          at += added
        } else {
          for (let old = kept * SLOTS_PER_PAGE + lane; old < PAGE_SAMPLES; old += SLOTS_PER_PAGE, at++) {
            if (offsets[old] >= endOffset) break
            times[at] = block.startMs + offsets[old]
            halves[at * 2] = rowHalves[old * 2]
            halves[at * 2 + 1] = rowHalves[old * 2 + 1]
          }
        }
      }
      for (; place < end; place += SLOTS_PER_PAGE, at++) {
        times[at] = block.startMs + offsets[place]
        const value = rowValues[place]
        if (Number.isNaN(value)) {
          halves[at * 2] = rowHalves[place * 2]
          halves[at * 2 + 1] = rowHalves[place * 2 + 1]
        } else values[at] = value
      }
    }
    sampleOffsets[count] = at
    return { sampleOffsets, timestampsMs: times, values, unread }
  }
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
