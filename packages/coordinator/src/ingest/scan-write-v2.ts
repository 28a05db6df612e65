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
import {
  ENTRY_LENGTH,
  ENTRY_NEXT,
  ENTRY_OFFSET,
  ENTRY_REF,
  ENTRY_STRIDE,
  findEntry,
  hashSpan,
  type LabelCache,
  spansEqual,
} from './label-cache.js'
import { skipField, varintNumber, varintSize } from './protobuf-field.js'
import { scanSample, skipFault } from './scan-sample.js'
import {
  EXTRA_EXEMPLAR,
  EXTRA_HISTOGRAM,
  EXTRA_METADATA,
  EXTRA_STRIDE,
  STATUS,
  SYMBOL_STRIDE,
  UNKNOWN_STRIDE,
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
  const { status, seriesRefs, unknowns, extras, symbols, startTimestampsMs } = columns
  const { entries, arenaView } = cache
  const symbolCount = scanSymbols(scratch, size, columns, limits)
  if (symbolCount < 0) return status[STATUS.FAULT]
  const sampleCountMax = Math.min(limits.sampleCountMax, seriesRefs.length)
  const seriesCountMax = Math.min(limits.seriesCountMax, unknowns.length / UNKNOWN_STRIDE)
  const extraCountMax = Math.min(limits.extraCountMax, extras.length / EXTRA_STRIDE)
  let rows = 0
  let unknownCount = 0
  let extraCount = 0
  let seriesCount = 0
  let tail = size
  let firstLabels = 0
  let firstLabelsLength = 0
  let previous = cache.lastEntry - 1
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
    if (seriesCount === seriesCountMax) return fail(status, FAULT.TOO_MANY_SERIES, fieldAt)
    seriesCount++
    const firstRow = rows
    const firstExtra = extraCount
    let referenceCount = 0
    let hasMetadata = false
    while (at < end) {
      const innerAt = at
      const innerTagSize = varintSize(scratch, at, end)
      if (innerTagSize === 0) return fail(status, FAULT.VARINT, innerAt)
      const innerTag = innerTagSize === 1 ? scratch[at] : varintNumber(scratch, at, innerTagSize)
      if (innerTag < 8 || innerTag > 0xffff_ffff) return fail(status, FAULT.TAG, innerAt)
      at += innerTagSize
      const field = innerTag >>> 3
      if (field > 5) {
        at = skipField(scratch, at, end, innerTag)
        if (at < 0) return fail(status, skipFault(innerTag), innerAt)
        continue
      }
      const wireType = innerTag & 7
      let to: number
      if (wireType === 2) {
        const innerLengthSize = varintSize(scratch, at, end)
        if (innerLengthSize === 0) return fail(status, FAULT.VARINT, innerAt)
        to = at + innerLengthSize + varintNumber(scratch, at, innerLengthSize)
        if (to > end) return fail(status, FAULT.FIELD_TOO_LONG, innerAt)
        at += innerLengthSize
      } else if (wireType === 0 && field === 1) {
        to = at + varintSize(scratch, at, end)
        if (to === at) return fail(status, FAULT.VARINT, innerAt)
      } else return fail(status, FAULT.WIRE_TYPE, innerAt)
      if (field === 1) {
        while (at < to) {
          let reference = scratch[at]
          if (reference < 0x80) at++
          else {
            const referenceSize = varintSize(scratch, at, to)
            if (referenceSize === 0) return fail(status, FAULT.VARINT, innerAt)
            reference = varintNumber(scratch, at, referenceSize)
            at += referenceSize
          }
          if (reference >= symbolCount) return fail(status, FAULT.SYMBOL_RANGE, innerAt)
          if (referenceCount < REFERENCE_COUNT_MAX) references[referenceCount] = reference
          referenceCount++
        }
      } else if (field === 2) {
        if (rows === sampleCountMax) return fail(status, FAULT.TOO_MANY_SAMPLES, innerAt)
        startTimestampsMs[rows] = 0
        const fault = scanSample(scratch, scratchView, at, to, columns, rows, true)
        if (fault !== FAULT.NONE) return fail(status, fault, status[STATUS.FAULT_OFFSET])
        if (startTimestampsMs[rows] !== 0) hasStart = 1
        rows++
      } else if (field === 5) {
        hasMetadata = true
        if (metadataLength !== to - at || !spansEqual(scratchView, at, scratchView, metadataAt, metadataLength)) {
          metadataName = -1
        }
        metadataAt = at
        metadataLength = to - at
      } else {
        if (extraCount === extraCountMax) return fail(status, FAULT.TOO_MANY_EXTRAS, innerAt)
        const x = extraCount++ * EXTRA_STRIDE
        extras[x] = field === 4 ? EXTRA_EXEMPLAR : EXTRA_HISTOGRAM
        extras[x + 1] = at
        extras[x + 2] = to - at
        extras[x + 3] = rows
        if (field === 3) {
          if (rows === sampleCountMax) return fail(status, FAULT.TOO_MANY_SAMPLES, innerAt)
          columns.timestampsMs[rows] = 0
          columns.values[rows] = 0
          startTimestampsMs[rows] = 0
          rows++
        }
      }
      at = to
    }
    if ((referenceCount & 1) !== 0) return fail(status, FAULT.ODD_LABEL_REFERENCES, fieldAt)

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
      if (tail + labelsLength > scratch.length) return fail(status, FAULT.LABELS_TOO_LONG, fieldAt)
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
        for (let k = 0; k < nameLength; k++) scratch[to++] = scratch[nameAt + k]
        scratch[to++] = 0x12
        to = writeLength(scratch, to, valueLength)
        for (let k = 0; k < valueLength; k++) scratch[to++] = scratch[valueAt + k]
      }
    }
    if (hasMetadata) {
      // The series of one family repeat its metadata; the first of each name is enough.
      if (nameSymbol < 0 || metadataName !== nameSymbol) {
        if (extraCount === extraCountMax) return fail(status, FAULT.TOO_MANY_EXTRAS, fieldAt)
        const x = extraCount++ * EXTRA_STRIDE
        extras[x] = EXTRA_METADATA
        extras[x + 1] = metadataAt
        extras[x + 2] = metadataLength
        extras[x + 3] = 0
      }
      metadataName = nameSymbol
    }
    let entry = -1
    if (written && labelsLength > 0) {
      const predicted = previous >= 0 ? entries[previous * ENTRY_STRIDE + ENTRY_NEXT] - 1 : -1
      const e = predicted * ENTRY_STRIDE
      if (
        predicted >= 0 &&
        entries[e + ENTRY_LENGTH] === labelsLength &&
        spansEqual(scratchView, tail, arenaView, entries[e + ENTRY_OFFSET], labelsLength)
      ) {
        entry = predicted
      } else {
        entry = findEntry(cache, scratchView, tail, labelsLength, hashSpan(scratchView, tail, labelsLength, cache.seed))
        if (entry >= 0 && previous >= 0) entries[previous * ENTRY_STRIDE + ENTRY_NEXT] = entry + 1
      }
    }
    for (let x = firstExtra; x < extraCount; x++) {
      extras[x * EXTRA_STRIDE + 4] = tail
      extras[x * EXTRA_STRIDE + 5] = labelsLength
    }
    if (entry >= 0) {
      const ref = entries[entry * ENTRY_STRIDE + ENTRY_REF]
      for (let row = firstRow; row < rows; row++) seriesRefs[row] = ref
      previous = entry
    } else {
      const u = unknownCount++ * UNKNOWN_STRIDE
      unknowns[u] = tail
      unknowns[u + 1] = labelsLength
      unknowns[u + 2] = firstRow
      unknowns[u + 3] = rows - firstRow
    }
    if (seriesCount === 1) {
      firstLabels = tail
      firstLabelsLength = labelsLength
    }
    if (written && (entry < 0 || extraCount > firstExtra || seriesCount === 1)) tail += labelsLength
  }
  if (size > 0 && seriesCount === 0 && symbolCount === 0) return fail(status, FAULT.NOTHING_KNOWN, 0)
  status[STATUS.FAULT] = FAULT.NONE
  status[STATUS.FAULT_OFFSET] = 0
  status[STATUS.SAMPLE_COUNT] = rows
  status[STATUS.UNKNOWN_COUNT] = unknownCount
  status[STATUS.EXTRA_COUNT] = extraCount
  status[STATUS.SERIES_COUNT] = seriesCount
  status[STATUS.SCRATCH_END] = tail
  status[STATUS.HAS_START] = hasStart
  status[STATUS.SYMBOL_COUNT] = symbolCount
  status[STATUS.FIRST_LABELS] = firstLabels
  status[STATUS.FIRST_LABELS_LENGTH] = firstLabelsLength
  status[STATUS.LAST_ENTRY] = previous + 1
  return FAULT.NONE
}

/** Checks the frame of all top-level fields and lists the symbols. Returns their count, or -1 after a fault. */
function scanSymbols(scratch: Uint8Array, size: number, columns: WriteColumns, limits: WriteLimits): number {
  const { status, symbols } = columns
  const symbolCountMax = Math.min(limits.symbolCountMax, symbols.length / SYMBOL_STRIDE)
  let count = 0
  let at = 0
  while (at < size) {
    const fieldAt = at
    const tagSize = varintSize(scratch, at, size)
    if (tagSize === 0) return failed(status, FAULT.VARINT, fieldAt)
    const tag = varintNumber(scratch, at, tagSize)
    if (tag < 8 || tag > 0xffff_ffff) return failed(status, FAULT.TAG, fieldAt)
    at += tagSize
    const field = tag >>> 3
    if (field !== 4 && field !== 5) {
      at = skipField(scratch, at, size, tag)
      if (at < 0) return failed(status, skipFault(tag), fieldAt)
      continue
    }
    if ((tag & 7) !== 2) return failed(status, FAULT.WIRE_TYPE, fieldAt)
    const lengthSize = varintSize(scratch, at, size)
    if (lengthSize === 0) return failed(status, FAULT.VARINT, fieldAt)
    const length = varintNumber(scratch, at, lengthSize)
    at += lengthSize
    if (at + length > size) return failed(status, FAULT.FIELD_TOO_LONG, fieldAt)
    if (field === 4) {
      if (count === symbolCountMax) return failed(status, FAULT.TOO_MANY_SYMBOLS, fieldAt)
      if (count === 0 && length !== 0) return failed(status, FAULT.FIRST_SYMBOL, fieldAt)
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

function writeLength(bytes: Uint8Array, at: number, length: number): number {
  while (length >= 0x80) {
    bytes[at++] = (length & 0x7f) | 0x80
    length >>>= 7
  }
  bytes[at++] = length
  return at
}

function failed(status: Uint32Array, fault: number, offset: number): -1 {
  fail(status, fault, offset)
  return -1
}

function fail(status: Uint32Array, fault: number, offset: number): number {
  status.fill(0)
  status[STATUS.FAULT] = fault
  status[STATUS.FAULT_OFFSET] = offset
  return fault
}
