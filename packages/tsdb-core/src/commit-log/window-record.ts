/**
 * The payload of a window of many series: its time once, then masks and columns.
 *
 *     address · timestamp f64 · count · references of series · masks · column numbers u8 · columns, in rising order
 *
 *     masks     0 all equal: u8                                 1 one u8 a series
 *     column    a value column of the series that have it, in order; or 1 and a value column of one, which all of them have
 *
 * Column numbers are those of model/columns.ts: bit c of a mask, and of the byte before the columns, is column c.
 */

import { ByteReader, type ByteWriter } from '../bytes/byte-writer.js'
import { StorageError } from '../errors.js'
import { COLUMN_STRIDE, COLUMNS, columnNumber } from '../model/columns.js'
import { halvesOf } from '../model/sample.js'
import { type WindowBatch, type WindowColumn, windowMasks } from '../window-batch.js'
import { readReferences, readValues, writeReferences, writeValues } from './columns.js'

const MASKS_EQUAL = 0
const MASKS_EACH = 1
const COLUMN_EQUAL = 1
/** A record is then far below the largest, whatever its columns. */
export const SERIES_PER_WINDOW_RECORD = 256 * 1024

/** `batch.seriesRefs` are keys: reference times `COLUMN_STRIDE`. */
export interface ShardWindow {
  readonly namespaceId: number
  readonly shard: number
  readonly batch: WindowBatch
}

let packed = new Float64Array(1024)

export function encodeWindowBatch(out: ByteWriter, { namespaceId, shard, batch }: ShardWindow): void {
  const { count, timestampMs } = batch
  if (count > SERIES_PER_WINDOW_RECORD) {
    throw new StorageError(
      'INVALID_ARGUMENT',
      `a window of ${count} series, one record holds at most ${SERIES_PER_WINDOW_RECORD}`,
    )
  }
  const refs = new Uint32Array(count)
  for (let i = 0; i < count; i++) refs[i] = batch.seriesRefs[i] / COLUMN_STRIDE
  const masks = windowMasks(batch)
  let any = 0
  let every = 0xff
  for (let i = 0; i < count; i++) {
    any |= masks[i]
    every &= masks[i]
  }
  out.varint(namespaceId)
  out.varint(shard)
  out.f64(timestampMs)
  out.varint(count)
  if (count > 0) writeReferences(out, refs, count)
  writeMasks(out, masks, any === every ? any : -1)
  out.u8(any)
  for (let number = 0; number < COLUMN_STRIDE; number++) {
    const column = batch.columns.find((each) => columnNumber(each.column) === number)
    if (((any >> number) & 1) === 0 || column === undefined) continue
    if (((every >> number) & 1) === 1) writeColumn(out, column.values, count)
    else writeColumn(out, packed, pack(column.values, masks, count, 1 << number))
  }
}

export function decodeWindowBatch(payload: Uint8Array): ShardWindow {
  const from = new ByteReader(payload, 'window batch')
  const namespaceId = from.varint()
  const shard = from.varint()
  const timestampMs = from.f64()
  if (!Number.isSafeInteger(timestampMs)) throw from.error(`a window at ${timestampMs}, wanted whole milliseconds`)
  const count = from.varint()
  if (count > SERIES_PER_WINDOW_RECORD) {
    throw from.error(`a count of ${count}, at most ${SERIES_PER_WINDOW_RECORD} is allowed`)
  }
  const seriesRefs = count > 0 ? readReferences(from, count) : new Uint32Array(0)
  for (let i = 0; i < count; i++) {
    if (seriesRefs[i] >= 2 ** 29) throw from.error(`a reference of ${seriesRefs[i]}, which leaves no room for columns`)
    seriesRefs[i] *= COLUMN_STRIDE
  }
  const numbered = readMasks(from, count)
  const any = from.u8()
  const stranger = numbered.find((mask) => (mask & ~any) !== 0)
  if (stranger !== undefined) throw from.error(`a mask of ${stranger} beside columns ${any}`)
  const numbers: number[] = []
  for (let number = 0; number < COLUMN_STRIDE; number++) if (((any >> number) & 1) === 1) numbers.push(number)
  const columns = numbers.map((number): WindowColumn => {
    const column = COLUMNS[number]
    if (column === undefined) throw from.error(`column ${number} does not exist`)
    return { column, values: readColumn(from, numbered, count, 1 << number) }
  })
  from.end()
  const masks = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < numbers.length; k++) masks[i] |= ((numbered[i] >> numbers[k]) & 1) << k
  }
  return { namespaceId, shard, batch: { timestampMs, count, seriesRefs, masks, columns } }
}

function writeMasks(out: ByteWriter, masks: Uint8Array, common: number): void {
  if (common >= 0) {
    out.u8(MASKS_EQUAL)
    out.u8(common)
    return
  }
  out.u8(MASKS_EACH)
  out.raw(masks)
}

function readMasks(from: ByteReader, count: number): Uint8Array {
  const kind = from.u8()
  if (kind === MASKS_EQUAL) return new Uint8Array(count).fill(from.u8())
  if (kind !== MASKS_EACH) throw from.error(`masks of unknown kind ${kind}`)
  return from.raw(count).slice()
}

function writeColumn(out: ByteWriter, values: Float64Array, count: number): void {
  if (!isAllEqual(halvesOf(values), count)) {
    writeValues(out, values, count)
    return
  }
  out.u8(COLUMN_EQUAL)
  writeValues(out, values, 1)
}

function readColumn(from: ByteReader, masks: Uint8Array, count: number, bit: number): Float64Array {
  let length = 0
  for (let i = 0; i < count; i++) if ((masks[i] & bit) !== 0) length++
  const isEqual = from.bytes[from.offset] === COLUMN_EQUAL
  if (isEqual) from.u8()
  const read = halvesOf(readValues(from, isEqual ? Math.min(1, length) : length))
  const values = new Float64Array(count)
  const halves = halvesOf(values)
  for (let i = 0, at = 0; i < count; i++) {
    if ((masks[i] & bit) === 0) continue
    halves[i * 2] = read[at * 2]
    halves[i * 2 + 1] = read[at * 2 + 1]
    if (!isEqual) at++
  }
  return values
}

/** Fills `packed` with the values of the series that have the column, and returns how many these are. */
function pack(values: Float64Array, masks: Uint8Array, count: number, bit: number): number {
  if (packed.length < count) packed = new Float64Array(count)
  const from = halvesOf(values)
  const to = halvesOf(packed)
  let at = 0
  for (let i = 0; i < count; i++) {
    if ((masks[i] & bit) === 0) continue
    to[at * 2] = from[i * 2]
    to[at * 2 + 1] = from[i * 2 + 1]
    at++
  }
  return at
}

function isAllEqual(halves: Uint32Array, count: number): boolean {
  for (let i = 1; i < count; i++) {
    if (halves[i * 2] !== halves[0] || halves[i * 2 + 1] !== halves[1]) return false
  }
  return true
}
