/**
 * One pass over a remote write 1.0 body (prometheus.WriteRequest), straight into columns.
 *
 *     WriteRequest  1 TimeSeries   3 MetricMetadata
 *     TimeSeries    1 Label   2 Sample   3 Exemplar   4 Histogram
 *     Sample        1 value, double   2 timestamp, int64 ms
 *
 * The labels of a series are not parsed here: their bytes are compared with those that came after the same series in the
 * request before (see label-cache.ts). Whoever sends them behind the samples, or split, gets them gathered into one run
 * first. A fault's offset is that of the tag of the innermost field that holds it.
 *
 * Source: prompb/remote.proto, prompb/types.proto of Prometheus, by their field numbers. Rust twin: native/ingest/src/v1.rs.
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
  UNKNOWN_STRIDE,
  type WriteColumns,
  type WriteLimits,
} from './write-columns.js'

/**
 * Scans `scratch[0..size)` and fills `columns`; what it found stands in `columns.status`.
 *
 * Bounds: `scratch` has room for label bytes that are put together behind `size`; when it has not enough, that is a fault.
 * Returns the fault; never throws. After one the columns are undefined, and nothing but `next` pointers of the cache has changed.
 */
export function scanWriteV1(
  scratch: Uint8Array,
  scratchView: DataView,
  size: number,
  cache: LabelCache,
  columns: WriteColumns,
  limits: WriteLimits,
): number {
  const { status, seriesRefs, unknowns, extras } = columns
  const { entries, arenaView } = cache
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
  let at = 0

  while (at < size) {
    const fieldAt = at
    let tag = scratch[at]
    let tagSize = 1
    if (tag >= 0x80) {
      tagSize = varintSize(scratch, at, size)
      if (tagSize === 0) return fail(status, FAULT.VARINT, fieldAt)
      tag = varintNumber(scratch, at, tagSize)
    }
    if (tag < 8 || tag > 0xffff_ffff) return fail(status, FAULT.TAG, fieldAt)
    at += tagSize
    const field = tag >>> 3
    if (field !== 1 && field !== 3) {
      at = skipField(scratch, at, size, tag)
      if (at < 0) return fail(status, skipFault(tag), fieldAt)
      continue
    }
    if ((tag & 7) !== 2) return fail(status, FAULT.WIRE_TYPE, fieldAt)
    let length = at < size ? scratch[at] : 0x80
    let lengthSize = 1
    if (length >= 0x80) {
      lengthSize = varintSize(scratch, at, size)
      if (lengthSize === 0) return fail(status, FAULT.VARINT, fieldAt)
      length = varintNumber(scratch, at, lengthSize)
    }
    at += lengthSize
    const end = at + length
    if (end > size) return fail(status, FAULT.FIELD_TOO_LONG, fieldAt)
    if (field === 3) {
      if (extraCount === extraCountMax) return fail(status, FAULT.TOO_MANY_EXTRAS, fieldAt)
      const x = extraCount++ * EXTRA_STRIDE
      extras[x] = EXTRA_METADATA
      extras[x + 1] = at
      extras[x + 2] = length
      extras.fill(0, x + 3, x + EXTRA_STRIDE)
      at = end
      continue
    }

    // One series. Its label bytes are [labelsAt, labelsEnd).
    if (seriesCount === seriesCountMax) return fail(status, FAULT.TOO_MANY_SERIES, fieldAt)
    seriesCount++
    const messageAt = at
    let labelsAt = at
    let labelsEnd = at
    let entry = -1
    if (previous >= 0) {
      const predicted = entries[previous * ENTRY_STRIDE + ENTRY_NEXT] - 1
      if (predicted >= 0) {
        const e = predicted * ENTRY_STRIDE
        const predictedLength = entries[e + ENTRY_LENGTH]
        const to = at + predictedLength
        if (
          to <= end &&
          (to === end || scratch[to] !== 0x0a) &&
          spansEqual(scratchView, at, arenaView, entries[e + ENTRY_OFFSET], predictedLength)
        ) {
          entry = predicted
          labelsEnd = to
          at = to
        }
      }
    }
    if (entry < 0) {
      while (at < end && scratch[at] === 0x0a) {
        const labelAt = at
        const labelSize = varintSize(scratch, at + 1, end)
        if (labelSize === 0) return fail(status, FAULT.VARINT, labelAt)
        at += 1 + labelSize + varintNumber(scratch, at + 1, labelSize)
        if (at > end) return fail(status, FAULT.FIELD_TOO_LONG, labelAt)
      }
      labelsEnd = at
    }
    const firstRow = rows
    const firstExtra = extraCount
    let scattered = false
    while (at < end) {
      const innerAt = at
      let innerTag = scratch[at]
      let innerTagSize = 1
      if (innerTag >= 0x80) {
        innerTagSize = varintSize(scratch, at, end)
        if (innerTagSize === 0) return fail(status, FAULT.VARINT, innerAt)
        innerTag = varintNumber(scratch, at, innerTagSize)
      }
      if (innerTag < 8 || innerTag > 0xffff_ffff) return fail(status, FAULT.TAG, innerAt)
      at += innerTagSize
      const innerField = innerTag >>> 3
      if (innerField > 4) {
        at = skipField(scratch, at, end, innerTag)
        if (at < 0) return fail(status, skipFault(innerTag), innerAt)
        continue
      }
      if ((innerTag & 7) !== 2) return fail(status, FAULT.WIRE_TYPE, innerAt)
      let innerLength = at < end ? scratch[at] : 0x80
      let innerLengthSize = 1
      if (innerLength >= 0x80) {
        innerLengthSize = varintSize(scratch, at, end)
        if (innerLengthSize === 0) return fail(status, FAULT.VARINT, innerAt)
        innerLength = varintNumber(scratch, at, innerLengthSize)
      }
      at += innerLengthSize
      const innerEnd = at + innerLength
      if (innerEnd > end) return fail(status, FAULT.FIELD_TOO_LONG, innerAt)
      if (innerField === 2) {
        if (rows === sampleCountMax) return fail(status, FAULT.TOO_MANY_SAMPLES, innerAt)
        const fault = scanSample(scratch, scratchView, at, innerEnd, columns, rows, false)
        if (fault !== FAULT.NONE) return fail(status, fault, status[STATUS.FAULT_OFFSET])
        rows++
      } else if (innerField === 1) {
        scattered = true
      } else {
        if (extraCount === extraCountMax) return fail(status, FAULT.TOO_MANY_EXTRAS, innerAt)
        const x = extraCount++ * EXTRA_STRIDE
        extras[x] = innerField === 3 ? EXTRA_EXEMPLAR : EXTRA_HISTOGRAM
        extras[x + 1] = at
        extras[x + 2] = innerLength
        extras[x + 3] = rows
        if (innerField === 4) {
          if (rows === sampleCountMax) return fail(status, FAULT.TOO_MANY_SAMPLES, innerAt)
          columns.timestampsMs[rows] = 0
          columns.values[rows] = 0
          rows++
        }
      }
      at = innerEnd
    }
    if (scattered) {
      entry = -1
      labelsAt = tail
      tail = gatherLabels(scratch, messageAt, end, tail)
      if (tail < 0) return fail(status, FAULT.SCATTERED_LABELS, fieldAt)
      labelsEnd = tail
    }
    const labelsLength = labelsEnd - labelsAt
    if (seriesCount === 1) {
      firstLabels = labelsAt
      firstLabelsLength = labelsLength
    }
    if (entry < 0 && labelsLength > 0 && labelsLength <= limits.labelSizeBytesMax) {
      entry = findEntry(
        cache,
        scratchView,
        labelsAt,
        labelsLength,
        hashSpan(scratchView, labelsAt, labelsLength, cache.seed),
      )
      if (entry >= 0 && previous >= 0) entries[previous * ENTRY_STRIDE + ENTRY_NEXT] = entry + 1
    }
    for (let x = firstExtra; x < extraCount; x++) {
      extras[x * EXTRA_STRIDE + 4] = labelsAt
      extras[x * EXTRA_STRIDE + 5] = labelsLength
    }
    if (entry >= 0) {
      const ref = entries[entry * ENTRY_STRIDE + ENTRY_REF]
      for (let row = firstRow; row < rows; row++) seriesRefs[row] = ref
      previous = entry
    } else {
      const u = unknownCount++ * UNKNOWN_STRIDE
      unknowns[u] = labelsAt
      unknowns[u + 1] = labelsLength
      unknowns[u + 2] = firstRow
      unknowns[u + 3] = rows - firstRow
    }
  }
  if (size > 0 && seriesCount === 0 && extraCount === 0) return fail(status, FAULT.NOTHING_KNOWN, 0)
  status[STATUS.FAULT] = FAULT.NONE
  status[STATUS.FAULT_OFFSET] = 0
  status[STATUS.SAMPLE_COUNT] = rows
  status[STATUS.UNKNOWN_COUNT] = unknownCount
  status[STATUS.EXTRA_COUNT] = extraCount
  status[STATUS.SERIES_COUNT] = seriesCount
  status[STATUS.SCRATCH_END] = tail
  status[STATUS.HAS_START] = 0
  status[STATUS.SYMBOL_COUNT] = 0
  status[STATUS.FIRST_LABELS] = firstLabels
  status[STATUS.FIRST_LABELS_LENGTH] = firstLabelsLength
  status[STATUS.LAST_ENTRY] = previous + 1
  return FAULT.NONE
}

/** Copies all label fields of a series whose frame has been checked to `tail`, one behind the other; -1: no room. */
function gatherLabels(scratch: Uint8Array, at: number, end: number, tail: number): number {
  while (at < end) {
    const tagSize = varintSize(scratch, at, end)
    const tag = varintNumber(scratch, at, tagSize)
    at += tagSize
    if (tag >>> 3 !== 1) {
      at = skipField(scratch, at, end, tag)
      continue
    }
    const lengthSize = varintSize(scratch, at, end)
    const to = at + lengthSize + varintNumber(scratch, at, lengthSize)
    if (tail + 1 + to - at > scratch.length) return -1
    scratch[tail++] = 0x0a
    scratch.copyWithin(tail, at, to)
    tail += to - at
    at = to
  }
  return tail
}

function fail(status: Uint32Array, fault: number, offset: number): number {
  status.fill(0)
  status[STATUS.FAULT] = fault
  status[STATUS.FAULT_OFFSET] = offset
  return fault
}
