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
import { FoundSeries, fail } from './found-series.js'
import { ENTRY_LENGTH, ENTRY_OFFSET, ENTRY_STRIDE, type LabelCache, spansEqual } from './label-cache.js'
import { FieldBudget, skipField, varintNumber, varintSize } from './protobuf-field.js'
import { scanSample, skipFault } from './scan-sample.js'
import { EXTRA_EXEMPLAR, EXTRA_METADATA, STATUS, type WriteColumns, type WriteLimits } from './write-columns.js'

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
  const { entries, arenaView } = cache
  const found = new FoundSeries(cache, columns, limits)
  const budget = new FieldBudget(limits.idleFieldCountMax, limits.labelTotalMax)
  let tail = size
  let at = 0

  while (at < size) {
    const fieldAt = at
    let tag = scratch[at]
    let tagSize = 1
    if (tag >= 0x80) {
      tagSize = varintSize(scratch, at, size)
      if (tagSize === 0) return fail(columns, FAULT.VARINT, fieldAt)
      tag = varintNumber(scratch, at, tagSize)
    }
    if (tag < 8 || tag > 0xffff_ffff) return fail(columns, FAULT.TAG, fieldAt)
    at += tagSize
    const field = tag >>> 3
    if (field !== 1 && field !== 3) {
      at = skipField(scratch, at, size, tag, budget)
      if (at < 0) return fail(columns, skipFault(tag, budget), fieldAt)
      continue
    }
    if ((tag & 7) !== 2) return fail(columns, FAULT.WIRE_TYPE, fieldAt)
    let length = at < size ? scratch[at] : 0x80
    let lengthSize = 1
    if (length >= 0x80) {
      lengthSize = varintSize(scratch, at, size)
      if (lengthSize === 0) return fail(columns, FAULT.VARINT, fieldAt)
      length = varintNumber(scratch, at, lengthSize)
    }
    at += lengthSize
    const end = at + length
    if (end > size) return fail(columns, FAULT.FIELD_TOO_LONG, fieldAt)
    if (field === 3) {
      const fault = found.addExtra(EXTRA_METADATA, at, end, fieldAt)
      if (fault !== FAULT.NONE) return fault
      at = end
      continue
    }

    // One series. Its label bytes are [labelsAt, labelsEnd).
    const tooMany = found.begin(fieldAt)
    if (tooMany !== FAULT.NONE) return tooMany
    const messageAt = at
    let labelsAt = at
    let labelsEnd = at
    let entry = -1
    const predicted = found.predicted()
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
    if (entry < 0) {
      while (at < end && scratch[at] === 0x0a) {
        const labelAt = at
        if (--budget.labelsLeft < 0) return fail(columns, FAULT.TOO_MANY_LABELS, labelAt)
        const labelSize = varintSize(scratch, at + 1, end)
        if (labelSize === 0) return fail(columns, FAULT.VARINT, labelAt)
        at += 1 + labelSize + varintNumber(scratch, at + 1, labelSize)
        if (at > end) return fail(columns, FAULT.FIELD_TOO_LONG, labelAt)
      }
      labelsEnd = at
    }
    let scattered = false
    while (at < end) {
      const innerAt = at
      let innerTag = scratch[at]
      let innerTagSize = 1
      if (innerTag >= 0x80) {
        innerTagSize = varintSize(scratch, at, end)
        if (innerTagSize === 0) return fail(columns, FAULT.VARINT, innerAt)
        innerTag = varintNumber(scratch, at, innerTagSize)
      }
      if (innerTag < 8 || innerTag > 0xffff_ffff) return fail(columns, FAULT.TAG, innerAt)
      at += innerTagSize
      const innerField = innerTag >>> 3
      if (innerField > 4) {
        at = skipField(scratch, at, end, innerTag, budget)
        if (at < 0) return fail(columns, skipFault(innerTag, budget), innerAt)
        continue
      }
      if ((innerTag & 7) !== 2) return fail(columns, FAULT.WIRE_TYPE, innerAt)
      let innerLength = at < end ? scratch[at] : 0x80
      let innerLengthSize = 1
      if (innerLength >= 0x80) {
        innerLengthSize = varintSize(scratch, at, end)
        if (innerLengthSize === 0) return fail(columns, FAULT.VARINT, innerAt)
        innerLength = varintNumber(scratch, at, innerLengthSize)
      }
      at += innerLengthSize
      const innerEnd = at + innerLength
      if (innerEnd > end) return fail(columns, FAULT.FIELD_TOO_LONG, innerAt)
      let fault: number = FAULT.NONE
      if (innerField === 2) {
        fault = found.checkRoom(innerAt)
        if (fault !== FAULT.NONE) return fault
        fault = scanSample(scratch, scratchView, at, innerEnd, columns, found.rows, false, budget)
        if (fault !== FAULT.NONE) return fail(columns, fault, columns.status[STATUS.FAULT_OFFSET])
        found.rows++
      } else if (innerField === 1) {
        if (--budget.labelsLeft < 0) return fail(columns, FAULT.TOO_MANY_LABELS, innerAt)
        scattered = true
      } else if (innerField === 3) fault = found.addExtra(EXTRA_EXEMPLAR, at, innerEnd, innerAt)
      else fault = found.addHistogram(at, innerEnd, innerAt)
      if (fault !== FAULT.NONE) return fault
      at = innerEnd
    }
    if (scattered) {
      entry = -1
      labelsAt = tail
      tail = gatherLabels(scratch, messageAt, end, tail)
      if (tail < 0) return fail(columns, FAULT.SCATTERED_LABELS, fieldAt)
      labelsEnd = tail
    }
    const labelsLength = labelsEnd - labelsAt
    if (entry < 0 && labelsLength > 0 && labelsLength <= limits.labelSizeBytesMax) {
      entry = found.lookUp(scratchView, labelsAt, labelsLength)
    }
    found.end(labelsAt, labelsLength, entry)
  }
  if (size > 0 && found.isEmpty) return fail(columns, FAULT.NOTHING_KNOWN, 0)
  return found.finish(tail, 0, 0)
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
