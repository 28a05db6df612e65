/**
 * Two passes over a remote write 2.0 body (io.prometheus.write.v2.Request): symbols, then series into columns.
 *
 *     Request      4 symbols, string   5 TimeSeries
 *     TimeSeries   1 label references, packed uint32   2 Sample   3 Histogram   4 Exemplar   5 Metadata
 *     Sample       1 value   2 timestamp   3 start timestamp
 *
 * The symbol table changes from request to request, so the references say nothing about a series. Its labels are written
 * out behind the body, in the form that remote write 1.0 has, and then found as there: both versions share one cache.
 *
 * Source: prompb/io/prometheus/write/v2/types.proto of Prometheus, by its field numbers. Rust twin: native/ingest/src/v2.rs.
 */
import { FAULT } from '../wire-error.js'
import { FoundSeries, fail } from './found-series.js'
import { ENTRY_LENGTH, ENTRY_OFFSET, ENTRY_STRIDE, type LabelCache, spansEqual } from './label-cache.js'
import { FieldBudget, skipField, varintNumber, varintSize } from './protobuf-field.js'
import { scanSample, skipFault } from './scan-sample.js'
import {
  EXTRA_EXEMPLAR,
  EXTRA_METADATA,
  STATUS,
  SYMBOL_STRIDE,
  type WriteColumns,
  type WriteLimits,
} from './write-columns.js'

/** More references than this in one series are counted and checked, but not kept: the series is refused anyway. */
const REFERENCE_COUNT_MAX = 2048
const references = new Uint32Array(REFERENCE_COUNT_MAX)

/** As `scanWriteV1`, for the other message. */
export function scanWriteV2(
  scratch: Uint8Array,
  scratchView: DataView,
  size: number,
  cache: LabelCache,
  columns: WriteColumns,
  limits: WriteLimits,
): number {
  columns.reserveSymbols()
  const { status, symbols, startTimestampsMs } = columns
  const { entries, arenaView } = cache
  const budget = new FieldBudget(limits.idleFieldCountMax, 2 * limits.labelTotalMax)
  const symbolCount = scanSymbols(scratch, size, columns, limits, budget)
  if (symbolCount < 0) return status[STATUS.FAULT]
  const found = new FoundSeries(cache, columns, limits)
  let tail = size
  let writtenSize = 0
  let hasStart = 0
  let metadataAt = 0
  let metadataLength = -1
  let metadataName = -1
  let at = 0

  while (at < size) {
    // The frame of every field was checked by the first pass.
    const fieldAt = at
    const tagSize = varintSize(scratch, at, size)
    const tag = varintNumber(scratch, at, tagSize)
    at += tagSize
    if (tag >>> 3 !== 5) {
      at = skipField(scratch, at, size, tag)
      continue
    }
    const lengthSize = varintSize(scratch, at, size)
    const end = at + lengthSize + varintNumber(scratch, at, lengthSize)
    at += lengthSize
    const tooMany = found.begin(fieldAt)
    if (tooMany !== FAULT.NONE) return tooMany
    let referenceCount = 0
    let hasMetadata = false
    while (at < end) {
      const innerAt = at
      const innerTagSize = varintSize(scratch, at, end)
      if (innerTagSize === 0) return fail(columns, FAULT.VARINT, innerAt)
      const innerTag = innerTagSize === 1 ? scratch[at] : varintNumber(scratch, at, innerTagSize)
      if (innerTag < 8 || innerTag > 0xffff_ffff) return fail(columns, FAULT.TAG, innerAt)
      at += innerTagSize
      const field = innerTag >>> 3
      if (field > 5) {
        at = skipField(scratch, at, end, innerTag, budget)
        if (at < 0) return fail(columns, skipFault(innerTag, budget), innerAt)
        continue
      }
      const wireType = innerTag & 7
      let to: number
      if (wireType === 2) {
        const innerLengthSize = varintSize(scratch, at, end)
        if (innerLengthSize === 0) return fail(columns, FAULT.VARINT, innerAt)
        to = at + innerLengthSize + varintNumber(scratch, at, innerLengthSize)
        if (to > end) return fail(columns, FAULT.FIELD_TOO_LONG, innerAt)
        at += innerLengthSize
      } else if (wireType === 0 && field === 1) {
        to = at + varintSize(scratch, at, end)
        if (to === at) return fail(columns, FAULT.VARINT, innerAt)
      } else return fail(columns, FAULT.WIRE_TYPE, innerAt)
      let fault: number = FAULT.NONE
      if (field === 1) {
        if (at === to && --budget.idleLeft < 0) return fail(columns, FAULT.TOO_MANY_IDLE_FIELDS, innerAt)
        while (at < to) {
          if (--budget.labelsLeft < 0) return fail(columns, FAULT.TOO_MANY_LABELS, innerAt)
          let reference = scratch[at]
          if (reference < 0x80) at++
          else {
            const referenceSize = varintSize(scratch, at, to)
            if (referenceSize === 0) return fail(columns, FAULT.VARINT, innerAt)
            reference = varintNumber(scratch, at, referenceSize)
            at += referenceSize
          }
          if (reference >= symbolCount) return fail(columns, FAULT.SYMBOL_RANGE, innerAt)
          if (referenceCount < REFERENCE_COUNT_MAX) references[referenceCount] = reference
          referenceCount++
        }
      } else if (field === 2) {
        fault = found.checkRoom(innerAt)
        if (fault !== FAULT.NONE) return fault
        const { rows } = found
        startTimestampsMs[rows] = 0
        fault = scanSample(scratch, scratchView, at, to, columns, rows, true, budget)
        if (fault !== FAULT.NONE) return fail(columns, fault, status[STATUS.FAULT_OFFSET])
        if (startTimestampsMs[rows] !== 0) hasStart = 1
        found.rows++
      } else if (field === 5) {
        if (hasMetadata && --budget.idleLeft < 0) return fail(columns, FAULT.TOO_MANY_IDLE_FIELDS, innerAt)
        hasMetadata = true
        if (metadataLength !== to - at || !spansEqual(scratchView, at, scratchView, metadataAt, metadataLength)) {
          metadataName = -1
        }
        metadataAt = at
        metadataLength = to - at
      } else if (field === 4) fault = found.addExtra(EXTRA_EXEMPLAR, at, to, innerAt)
      else fault = found.addHistogram(at, to, innerAt)
      if (fault !== FAULT.NONE) return fault
      at = to
    }
    if ((referenceCount & 1) !== 0) return fail(columns, FAULT.ODD_LABEL_REFERENCES, fieldAt)

    // The labels in the form of remote write 1.0, at [tail, tail + labelsLength).
    let labelsLength = 0
    let nameSymbol = -1
    for (let i = 0; i < referenceCount; i += 2) {
      if (i + 1 >= REFERENCE_COUNT_MAX) {
        labelsLength = limits.labelSizeBytesMax + 1
        break
      }
      const nameLength = symbols[references[i] * SYMBOL_STRIDE + 1]
      const valueLength = symbols[references[i + 1] * SYMBOL_STRIDE + 1]
      const inner = 2 + lengthSizeOf(nameLength) + nameLength + lengthSizeOf(valueLength) + valueLength
      labelsLength += 1 + lengthSizeOf(inner) + inner
      if (labelsLength > limits.labelSizeBytesMax) break
    }
    const written = labelsLength <= limits.labelSizeBytesMax
    if (written) {
      writtenSize += labelsLength
      if (writtenSize > limits.decodedSizeBytesMax || tail + labelsLength > scratch.length) {
        return fail(columns, FAULT.LABELS_TOO_LONG, fieldAt)
      }
      let to = tail
      for (let i = 0; i < referenceCount; i += 2) {
        const name = references[i] * SYMBOL_STRIDE
        const value = references[i + 1] * SYMBOL_STRIDE
        const nameAt = symbols[name]
        const nameLength = symbols[name + 1]
        const valueAt = symbols[value]
        const valueLength = symbols[value + 1]
        if (nameLength === 8 && isMetricName(scratch, nameAt)) nameSymbol = references[i + 1]
        scratch[to++] = 0x0a
        const inner = 2 + lengthSizeOf(nameLength) + nameLength + lengthSizeOf(valueLength) + valueLength
        to = writeLength(scratch, to, inner)
        scratch[to++] = 0x0a
        to = writeLength(scratch, to, nameLength)
        to = copySpan(scratch, nameAt, nameLength, to)
        scratch[to++] = 0x12
        to = writeLength(scratch, to, valueLength)
        to = copySpan(scratch, valueAt, valueLength, to)
      }
    }
    if (hasMetadata) {
      // The series of one family repeat its metadata; the first of each name is enough.
      if (nameSymbol < 0 || metadataName !== nameSymbol) {
        const fault = found.addExtra(EXTRA_METADATA, metadataAt, metadataAt + metadataLength, fieldAt)
        if (fault !== FAULT.NONE) return fault
      }
      metadataName = nameSymbol
    }
    let entry = -1
    if (written && labelsLength > 0) {
      const predicted = found.predicted()
      const e = predicted * ENTRY_STRIDE
      if (
        predicted >= 0 &&
        entries[e + ENTRY_LENGTH] === labelsLength &&
        spansEqual(scratchView, tail, arenaView, entries[e + ENTRY_OFFSET], labelsLength)
      ) {
        entry = predicted
      } else {
        entry = found.lookUp(scratchView, tail, labelsLength)
      }
    }
    found.end(tail, labelsLength, entry)
    if (written && found.keepsLabels(entry)) tail += labelsLength
  }
  if (size > 0 && found.isEmpty && symbolCount === 0) return fail(columns, FAULT.NOTHING_KNOWN, 0)
  return found.finish(tail, hasStart, symbolCount)
}

/** Checks the frame of all top-level fields and lists the symbols. Returns their count, or -1 after a fault. */
function scanSymbols(
  scratch: Uint8Array,
  size: number,
  columns: WriteColumns,
  limits: WriteLimits,
  budget: FieldBudget,
): number {
  const { symbols } = columns
  const symbolCountMax = Math.min(limits.symbolCountMax, symbols.length / SYMBOL_STRIDE)
  let count = 0
  let at = 0
  while (at < size) {
    const fieldAt = at
    const tagSize = varintSize(scratch, at, size)
    if (tagSize === 0) return failed(columns, FAULT.VARINT, fieldAt)
    const tag = varintNumber(scratch, at, tagSize)
    if (tag < 8 || tag > 0xffff_ffff) return failed(columns, FAULT.TAG, fieldAt)
    at += tagSize
    const field = tag >>> 3
    if (field !== 4 && field !== 5) {
      at = skipField(scratch, at, size, tag, budget)
      if (at < 0) return failed(columns, skipFault(tag, budget), fieldAt)
      continue
    }
    if ((tag & 7) !== 2) return failed(columns, FAULT.WIRE_TYPE, fieldAt)
    const lengthSize = varintSize(scratch, at, size)
    if (lengthSize === 0) return failed(columns, FAULT.VARINT, fieldAt)
    const length = varintNumber(scratch, at, lengthSize)
    at += lengthSize
    if (at + length > size) return failed(columns, FAULT.FIELD_TOO_LONG, fieldAt)
    if (field === 4) {
      if (count === symbolCountMax) return failed(columns, FAULT.TOO_MANY_SYMBOLS, fieldAt)
      if (count === 0 && length !== 0) return failed(columns, FAULT.FIRST_SYMBOL, fieldAt)
      symbols[count * SYMBOL_STRIDE] = at
      symbols[count * SYMBOL_STRIDE + 1] = length
      count++
    }
    at += length
  }
  return count
}

/** `__name__`, eight bytes. */
function isMetricName(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === 0x5f &&
    bytes[at + 1] === 0x5f &&
    bytes[at + 2] === 0x6e &&
    bytes[at + 3] === 0x61 &&
    bytes[at + 4] === 0x6d &&
    bytes[at + 5] === 0x65 &&
    bytes[at + 6] === 0x5f &&
    bytes[at + 7] === 0x5f
  )
}

/** Bytes of the varint of a length below 2^28. */
function lengthSizeOf(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : 4
}

/** Returns where the copy ends. A call into the engine pays from some dozen bytes on. */
function copySpan(bytes: Uint8Array, from: number, length: number, to: number): number {
  if (length > 48) bytes.copyWithin(to, from, from + length)
  else for (let k = 0; k < length; k++) bytes[to + k] = bytes[from + k]
  return to + length
}

function writeLength(bytes: Uint8Array, at: number, length: number): number {
  while (length >= 0x80) {
    bytes[at++] = (length & 0x7f) | 0x80
    length >>>= 7
  }
  bytes[at++] = length
  return at
}

function failed(columns: WriteColumns, fault: number, offset: number): -1 {
  fail(columns, fault, offset)
  return -1
}
