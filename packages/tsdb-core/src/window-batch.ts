/**
 * One window of many aggregated series as columns: all outputs of a window have its end as their timestamp.
 *
 *     seriesRefs   r0     r1     r2          one a series: the reference of its column `value`
 *     masks        0b111  0b101  0b000       bit i: the series has a value in `columns[i]`
 *     columns[i]   v0     v1     –           one element a series, whether it has one or not
 */
import type { AggregateColumn } from './model/aggregate.js'
import { COLUMN_STRIDE, COLUMNS, columnNumber } from './model/columns.js'
import { halvesOf } from './model/sample.js'
import type { Rejection, SampleBatch } from './shard.js'

export interface WindowBatch {
  readonly timestampMs: number
  readonly count: number
  readonly seriesRefs: Uint32Array
  readonly masks: Uint8Array
  readonly columns: readonly WindowColumn[]
}

export interface WindowColumn {
  readonly column: AggregateColumn
  readonly values: Float64Array
}

export interface WindowResult {
  readonly appendedCount: number
  /** The whole window was refused. */
  readonly refused: 'TOO_OLD' | 'TOO_FAR_AHEAD' | null
  /** Places of series that were evicted: resolve again and repeat those. */
  readonly unknown: readonly number[]
  /** Resolves once the window is durable: it is already, unless it was deferred. Rejects as `appendWindow` does. */
  readonly durable: Promise<void>
}

/** The same as samples, series by series. Column number c of a series has its reference plus `c · step`. */
export function samplesOfWindow(batch: WindowBatch, step: number): SampleBatch & { readonly places: Uint32Array } {
  const { count, masks, columns } = batch
  const numbers = columns.map(({ column }) => columnNumber(column))
  const halves = columns.map(({ values }) => halvesOf(values))
  const total = countOfWindow(batch)
  const seriesRefs = new Uint32Array(total)
  const places = new Uint32Array(total)
  const values = new Float64Array(total)
  const to = halvesOf(values)
  let at = 0
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < columns.length; k++) {
      if ((masks[i] & (1 << k)) === 0) continue
      seriesRefs[at] = batch.seriesRefs[i] + numbers[k] * step
      places[at] = i
      to[at * 2] = halves[k][i * 2]
      to[at * 2 + 1] = halves[k][i * 2 + 1]
      at++
    }
  }
  return { count: total, seriesRefs, timestampsMs: new Float64Array(total).fill(batch.timestampMs), values, places }
}

/** Fewer samples are stored one by one. */
const WINDOW_SAMPLES_MIN = 16

/** Samples that are one window of aggregated series, as that; null when they are not. Keys are by `COLUMN_STRIDE`. */
export function windowOfSamples(batch: SampleBatch): { window: WindowBatch; places: Uint32Array } | null {
  const { count, seriesRefs: keys, timestampsMs, values, startTimestampsMs, histograms } = batch
  if (count < WINDOW_SAMPLES_MIN || startTimestampsMs !== undefined || histograms !== undefined) return null
  const timestampMs = timestampsMs[0]
  for (let k = 1; k < count; k++) if (timestampsMs[k] !== timestampMs) return null
  const seriesRefs = new Uint32Array(count)
  const masks = new Uint8Array(count)
  const places = new Uint32Array(count)
  const columns = COLUMNS.map((column) => ({ column, values: new Float64Array(count) }))
  const from = halvesOf(values)
  const to = columns.map((column) => halvesOf(column.values))
  let last = -1
  for (let k = 0; k < count; k++) {
    const column = keys[k] % COLUMN_STRIDE
    if (column >= COLUMNS.length) return null
    const key = keys[k] - column
    if (last < 0 || seriesRefs[last] !== key || (masks[last] & (1 << column)) !== 0) seriesRefs[++last] = key
    masks[last] |= 1 << column
    places[k] = last
    to[column][last * 2] = from[k * 2]
    to[column][last * 2 + 1] = from[k * 2 + 1]
  }
  return { window: { timestampMs, count: last + 1, seriesRefs, masks, columns }, places }
}

/** The series, by place in the window, of those samples that were refused since the head does not know them. */
export function placesOfUnknown(places: Uint32Array, rejections: readonly Rejection[]): number[] {
  const unknown = rejections.filter(({ reason }) => reason === 'UNKNOWN_SERIES')
  return [...new Set(unknown.map(({ sampleIndex }) => places[sampleIndex]))]
}

let mappedMasks = new Uint8Array(1024)

/** Masks with a bit for each column number, instead of one for each column given. Valid until the next call. */
export function windowMasks({ masks, count, columns }: WindowBatch): Uint8Array {
  const byMask = maskTable(columns)
  if (mappedMasks.length < count) mappedMasks = new Uint8Array(count * 2)
  const mapped = mappedMasks
  for (let i = 0; i < count; i++) mapped[i] = byMask[masks[i]]
  return mapped.subarray(0, count)
}

/** How many samples a window has. */
export function countOfWindow({ masks, count }: WindowBatch): number {
  let total = 0
  for (let i = 0; i < count; i++) total += bitCount(masks[i])
  return total
}

/** Of the columns of before: mostly they are the same. */
let lastNumbers = ''
let lastTable = new Uint8Array(256)

function maskTable(columns: readonly WindowColumn[]): Uint8Array {
  let numbers = ''
  for (const { column } of columns) numbers += columnNumber(column)
  if (numbers === lastNumbers) return lastTable
  const table = new Uint8Array(256)
  for (let mask = 1; mask < 256; mask++) {
    for (let k = 0; k < columns.length; k++) {
      if ((mask & (1 << k)) !== 0) table[mask] |= 1 << columnNumber(columns[k].column)
    }
  }
  lastNumbers = numbers
  lastTable = table
  return table
}

/** The window with some of its series only. */
export function pickSeries(batch: WindowBatch, places: readonly number[]): WindowBatch {
  return {
    timestampMs: batch.timestampMs,
    count: places.length,
    seriesRefs: Uint32Array.from(places, (i) => batch.seriesRefs[i]),
    masks: Uint8Array.from(places, (i) => batch.masks[i]),
    columns: batch.columns.map(({ column, values }) => {
      const picked = new Float64Array(places.length)
      const from = halvesOf(values)
      const to = halvesOf(picked)
      places.forEach((i, k) => {
        to[k * 2] = from[i * 2]
        to[k * 2 + 1] = from[i * 2 + 1]
      })
      return { column, values: picked }
    }),
  }
}

/** Bits that are set in a byte. */
export function bitCount(byte: number): number {
  const pairs = byte - ((byte >> 1) & 0x55)
  const fours = (pairs & 0x33) + ((pairs >> 2) & 0x33)
  return (fours + (fours >> 4)) & 0x0f
}
