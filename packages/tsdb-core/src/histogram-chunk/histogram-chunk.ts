/** Writes and reads a run of native histograms as columns. Bytes: format.ts. */
import { CodecError, columnRunSizeMax, decodeColumnRun, encodeColumnRun } from '@varve/gorilla-codec'
import { ByteReader, ByteWriter } from '../bytes/byte-writer.js'
import { readSignedVarint, writeSignedVarint } from '../commit-log/columns.js'
import { StorageError } from '../errors.js'
import { invariant } from '../invariant.js'
import type { CounterResetHint, Histogram, Span } from '../model/histogram.js'
import { assignColumns, bucketCount, type ColumnIndexes, type Layout, layoutOf } from './bucket-columns.js'
import {
  COUNTS_RESIDUAL,
  COUNTS_WHOLE,
  HISTOGRAMS_PER_CHUNK_MAX,
  KIND_HINT_MASK,
  KIND_INTEGER,
  KIND_STALE,
  KIND_UNKNOWN,
} from './format.js'

const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'notReset', 'gauge']
const ZERO_COUNTS = 0
const COUNTS = 1
const SUMS = 2
/** Half a gigabyte of columns: more than any block has, and less than what damaged bytes may claim. */
const VALUES_MAX = 2 ** 26
/** Columns that every histogram has a value in; those of buckets follow. */
const FIXED_COLUMNS = 3

/** @throws {StorageError} `INVALID_ARGUMENT` for none, or more than `HISTOGRAMS_PER_CHUNK_MAX`. */
export function encodeHistogramChunk(histograms: readonly Histogram[]): Uint8Array {
  const count = histograms.length
  if (count < 1 || count > HISTOGRAMS_PER_CHUNK_MAX) {
    throw new StorageError('INVALID_ARGUMENT', `${count} histograms: a chunk holds 1 to ${HISTOGRAMS_PER_CHUNK_MAX}`)
  }
  const layouts: Layout[] = []
  const layoutIndexes = new Uint32Array(count)
  const known = new Map<string, number>()
  // Almost every histogram has the layout of the one before: the same span arrays need no key.
  histograms.forEach((histogram, i) => {
    if (i > 0 && sharesLayout(histogram, histograms[i - 1])) {
      layoutIndexes[i] = layoutIndexes[i - 1]
      return
    }
    const layout = layoutOf(histogram)
    let index = known.get(layout.key)
    if (index === undefined) {
      known.set(layout.key, (index = layouts.length))
      layouts.push(layout)
    }
    layoutIndexes[i] = index
  })

  const out = new ByteWriter(4096)
  out.varint(count)
  writeRuns(
    out,
    count,
    (i) => kindOf(histograms[i]),
    (kind) => out.u8(kind),
  )
  out.varint(layouts.length)
  for (const layout of layouts) writeLayout(out, layout)
  writeRuns(
    out,
    count,
    (i) => layoutIndexes[i],
    (layout) => out.varint(layout),
  )

  const residual = histograms.every(hasExactResidual)
  out.u8(residual ? COUNTS_RESIDUAL : COUNTS_WHOLE)
  const { columnCount, indexes } = assignColumns(layouts)
  const lengths = columnLengths(layoutIndexes, indexes, columnCount)
  const values = fillColumns(histograms, layoutIndexes, indexes, offsetsOf(lengths), residual)
  out.reserve(columnRunSizeMax(lengths))
  out.length = encodeColumnRun(values, lengths, out.bytes, out.length)
  return out.view().slice()
}

/** @throws {StorageError} `CORRUPT` with the offset in `bytes`, for bytes that end early or contradict themselves. */
export function decodeHistogramChunk(bytes: Uint8Array): Histogram[] {
  const from = new ByteReader(bytes, 'histogram chunk')
  try {
    return decode(from)
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    from.offset = error.bitOffset >>> 3
    throw from.error(error.message)
  }
}

function decode(from: ByteReader): Histogram[] {
  const count = from.varint()
  if (count < 1 || count > HISTOGRAMS_PER_CHUNK_MAX) throw from.error(`${count} histograms`)
  const kinds = readRuns(from, count, () => from.u8())
  if (kinds.some((kind) => (kind & KIND_UNKNOWN) !== 0)) throw from.error('a kind that is not known')
  const layoutCount = from.count(12)
  if (layoutCount < 1 || layoutCount > count) throw from.error(`${layoutCount} layouts of ${count} histograms`)
  const layouts = Array.from({ length: layoutCount }, () => readLayout(from))
  const layoutIndexes = readRuns(from, count, () => from.varint())
  if (layoutIndexes.some((layout) => layout >= layoutCount)) throw from.error('a layout that is not there')
  if (new Set(layoutIndexes).size < layoutCount) throw from.error('a layout that no histogram has')

  const countForm = from.u8()
  if (countForm > COUNTS_RESIDUAL) throw from.error(`counts in unknown form ${countForm}`)
  const residual = countForm === COUNTS_RESIDUAL
  const { columnCount, indexes } = assignColumns(layouts)
  const lengths = columnLengths(layoutIndexes, indexes, columnCount)
  const next = offsetsOf(lengths)
  const valueCount = next[lengths.length]
  if (valueCount > VALUES_MAX) throw from.error(`${valueCount} values, at most ${VALUES_MAX} are believed`)
  const values = new Float64Array(valueCount)
  from.offset = decodeColumnRun(from.bytes, from.offset, from.bytes.length, lengths, values, 0)
  from.end()

  return Array.from(kinds, (kind, i): Histogram => {
    const layout = layouts[layoutIndexes[i]]
    const columnIndexes = indexes[layoutIndexes[i]]
    const positiveBuckets = new Float64Array(bucketCount(layout.positiveSpans))
    const negativeBuckets = new Float64Array(columnIndexes.length - positiveBuckets.length)
    const zeroCount = values[next[ZERO_COUNTS]++]
    const count = values[next[COUNTS]++]
    const sum = values[next[SUMS]++]
    let inBuckets = zeroCount
    for (let bucket = 0; bucket < columnIndexes.length; bucket++) {
      const value = values[next[FIXED_COLUMNS + columnIndexes[bucket]]++]
      if (bucket < positiveBuckets.length) positiveBuckets[bucket] = value
      else negativeBuckets[bucket - positiveBuckets.length] = value
      inBuckets += value
    }
    const stale = (kind & KIND_STALE) !== 0
    return {
      schema: layout.schema,
      zeroThreshold: layout.zeroThreshold,
      zeroCount,
      count: residual ? count + inBuckets : count,
      sum: stale ? Number.NaN : sum,
      counterResetHint: HINTS[kind & KIND_HINT_MASK],
      positiveSpans: layout.positiveSpans,
      negativeSpans: layout.negativeSpans,
      positiveBuckets,
      negativeBuckets,
      customValues: layout.customValues,
      stale,
      integer: (kind & KIND_INTEGER) !== 0,
    }
  })
}

function kindOf(histogram: Histogram): number {
  const hint = HINTS.indexOf(histogram.counterResetHint)
  return hint | (histogram.stale ? KIND_STALE : 0) | (histogram.integer ? KIND_INTEGER : 0)
}

/** The count can be told from the others: exactly, and back. */
function hasExactResidual(histogram: Histogram): boolean {
  if (!Number.isSafeInteger(histogram.count) || Object.is(histogram.count, -0)) return false
  let sum = histogram.zeroCount
  for (const count of histogram.positiveBuckets) sum += count
  for (const count of histogram.negativeBuckets) sum += count
  return Number.isSafeInteger(sum) && Number.isSafeInteger(histogram.count - sum) && histogram.integer
}

function sharesLayout(a: Histogram, b: Histogram): boolean {
  return (
    a.positiveSpans === b.positiveSpans &&
    a.negativeSpans === b.negativeSpans &&
    a.customValues === b.customValues &&
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold
  )
}

/** The values of all columns; `next` says where each begins, and is used up. */
function fillColumns(
  histograms: readonly Histogram[],
  layoutIndexes: Uint32Array,
  indexes: readonly ColumnIndexes[],
  next: Uint32Array,
  residual: boolean,
): Float64Array {
  const values = new Float64Array(next[next.length - 1])
  for (let i = 0; i < histograms.length; i++) {
    const { zeroCount, count, sum, stale, positiveBuckets, negativeBuckets } = histograms[i]
    const columnIndexes = indexes[layoutIndexes[i]]
    const positiveCount = positiveBuckets.length
    invariant(
      columnIndexes.length === positiveCount + negativeBuckets.length,
      'a histogram has as many buckets as its spans say',
      columnIndexes.length,
      positiveCount,
    )
    let inBuckets = zeroCount
    for (let bucket = 0; bucket < columnIndexes.length; bucket++) {
      const value = bucket < positiveCount ? positiveBuckets[bucket] : negativeBuckets[bucket - positiveCount]
      values[next[FIXED_COLUMNS + columnIndexes[bucket]]++] = value
      inBuckets += value
    }
    values[next[ZERO_COUNTS]++] = zeroCount
    values[next[COUNTS]++] = residual ? count - inBuckets : count
    values[next[SUMS]++] = stale ? 0 : sum
  }
  return values
}

/** Where each column begins when they stand one behind the other; the last number is where they end. */
function offsetsOf(lengths: Uint32Array): Uint32Array {
  const offsets = new Uint32Array(lengths.length + 1)
  for (let i = 0; i < lengths.length; i++) offsets[i + 1] = offsets[i] + lengths[i]
  return offsets
}

/** Fixed columns have a value for each histogram, the others one for each histogram whose layout has the bucket. */
function columnLengths(
  layoutIndexes: Uint32Array,
  indexes: readonly ColumnIndexes[],
  columnCount: number,
): Uint32Array {
  const uses = new Uint32Array(indexes.length)
  for (const layout of layoutIndexes) uses[layout]++
  const lengths = new Uint32Array(FIXED_COLUMNS + columnCount)
  lengths.fill(layoutIndexes.length, 0, FIXED_COLUMNS)
  indexes.forEach((columns, layout) => {
    for (const column of columns) lengths[FIXED_COLUMNS + column] += uses[layout]
  })
  return lengths
}

function writeLayout(out: ByteWriter, layout: Layout): void {
  writeSignedVarint(out, layout.schema)
  out.f64(layout.zeroThreshold)
  writeSpans(out, layout.positiveSpans)
  writeSpans(out, layout.negativeSpans)
  out.varint(layout.customValues.length)
  for (const bound of layout.customValues) out.f64(bound)
}

function readLayout(from: ByteReader): Layout {
  const schema = readSignedVarint(from)
  const zeroThreshold = from.f64()
  const positiveSpans = readSpans(from)
  const negativeSpans = readSpans(from)
  const customValues = Float64Array.from({ length: from.count(8) }, () => from.f64())
  return { key: '', schema, zeroThreshold, positiveSpans, negativeSpans, customValues }
}

function writeSpans(out: ByteWriter, spans: readonly Span[]): void {
  out.varint(spans.length)
  for (const span of spans) {
    writeSignedVarint(out, span.offset)
    out.varint(span.length)
  }
}

function readSpans(from: ByteReader): Span[] {
  const spans = Array.from({ length: from.count(2) }, () => ({ offset: readSignedVarint(from), length: from.varint() }))
  // Each bucket takes at least a part of a byte in its column; what claims many more is damaged.
  if (bucketCount(spans) > from.bytes.length) throw from.error(`${bucketCount(spans)} buckets`)
  return spans
}

function writeRuns(
  out: ByteWriter,
  count: number,
  valueAt: (index: number) => number,
  write: (value: number) => void,
): void {
  for (let start = 0; start < count; ) {
    const value = valueAt(start)
    let end = start + 1
    while (end < count && valueAt(end) === value) end++
    out.varint(end - start)
    write(value)
    start = end
  }
}

function readRuns(from: ByteReader, count: number, read: () => number): Uint32Array {
  const values = new Uint32Array(count)
  for (let start = 0; start < count; ) {
    const length = from.varint()
    if (length < 1 || length > count - start) throw from.error(`a run of ${length} after ${start} of ${count}`)
    values.fill(read(), start, start + length)
    start += length
  }
  return values
}
