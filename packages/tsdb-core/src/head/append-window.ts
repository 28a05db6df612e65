/**
 * Stores one window of many aggregated series in the head: whole rows of stripes, without work for each sample.
 *
 * Series for which this is not the newest window, as far as ordinary samples go, are stored as those.
 */
import { StorageError } from '../errors.js'
import { ABSENT_HIGH, COLUMN_STRIDE, columnNumber, HIGH_HALF } from '../model/columns.js'
import { halvesOf } from '../model/sample.js'
import type { SampleBatch } from '../shard.js'
import { pickSeries, samplesOfWindow, type WindowBatch, windowMasks } from '../window-batch.js'
import type { AppendLimits, HeadAppend } from './append-limits.js'
import type { OpenBlock } from './open-block.js'
import { LANES, type WindowStripes } from './window-stripes.js'

export interface WindowAppend {
  /** Places of series that the head does not know. */
  readonly unknown: readonly number[]
}

/** What of a head is needed here. */
export interface WindowHead {
  readonly series: { isLive(ref: number): boolean }
  blockAt(timestampMs: number, limits: AppendLimits): OpenBlock
  appendSamples(batch: SampleBatch, limits: AppendLimits): HeadAppend
}

/** Null: the block has newer windows, so that this one is to be stored as samples. The caller checked the limits. */
export function appendWindow(head: WindowHead, batch: WindowBatch, limits: AppendLimits): WindowAppend | null {
  const { timestampMs, count, seriesRefs: keys, columns } = batch
  if (!Number.isSafeInteger(timestampMs)) {
    throw new StorageError('INVALID_ARGUMENT', `a window at ${timestampMs}, wanted whole milliseconds within ±2^53`)
  }
  const block = head.blockAt(timestampMs, limits)
  const offset = timestampMs - block.startMs
  const stripes = block.openStripes()
  if (!stripes.takes(offset)) return null
  stripes.beginWindow(offset)
  const numbers = columns.map(({ column }) => columnNumber(column))
  const values = columns.map((column) => column.values)
  const halves = values.map(halvesOf)
  const masks = windowMasks(batch)
  if (!block.hasAbsent && halves.some((column) => mayHaveAbsent(column, count))) block.hasAbsent = true
  const mayHaveRows = block.mayHaveRowsSince(offset)
  const unknown: number[] = []
  const ordinary: number[] = []
  let added = 0
  for (let i = 0; i < count; ) {
    const mask = masks[i]
    const isOrdinary = mayHaveRows && mask !== 0 && block.hasRowSince(keys[i], mask, offset)
    const slot = mask === 0 ? -1 : slotFor(head, stripes, keys[i], isOrdinary)
    if (slot < 0) {
      if (slot === UNKNOWN) unknown.push(i)
      else if (slot === ORDINARY) ordinary.push(i)
      i++
      continue
    }
    // Series come in the order in which they came before: mostly a whole stripe follows.
    const from = i++
    const { refs, slotCount } = stripes
    const end = Math.min(slotCount, (slot | (LANES - 1)) + 1)
    for (let next = slot + 1; i < count && next < end; i++, next++) {
      if (masks[i] === 0 || refs[next] * COLUMN_STRIDE !== keys[i]) break
      if (mayHaveRows && block.hasRowSince(keys[i], masks[i], offset)) break
    }
    added += stripes.write(slot, i - from, masks, from, numbers, values, halves)
  }
  if (added > 0) block.noteWindow(offset, added)
  if (ordinary.length > 0) head.appendSamples(samplesOfWindow(pickSeries(batch, ordinary), 1), limits)
  return { unknown }
}

const UNKNOWN = -2
const ORDINARY = -3

function slotFor(head: WindowHead, stripes: WindowStripes, key: number, isOrdinary: boolean): number {
  const ref = key / COLUMN_STRIDE
  const slot = stripes.slotOf(ref)
  if (slot < 0 && !head.series.isLive(ref)) return UNKNOWN
  if (isOrdinary) return ORDINARY
  return slot < 0 ? stripes.addSlot(ref) : slot
}

function mayHaveAbsent(halves: Uint32Array, count: number): boolean {
  for (let at = HIGH_HALF; at < count * 2; at += 2) if (halves[at] === ABSENT_HIGH) return true
  return false
}
