/**
 * Prometheus' chunks of native histograms: encoding 2 (integer counts) and 3 (float counts).
 *
 *     u16 samples | flags | zero threshold | schema | positive spans | negative spans | custom bounds | samples | padding
 *
 * The layout (schema, threshold, spans, bounds) stands once; a histogram with another layout begins a new chunk. Counts of
 * integer histograms are varbits of second differences, those of float histograms are exclusive ors.
 * Source: Prometheus, tsdb/docs/format/chunks.md; page: docs/formats/prometheus-histogram-chunk.md.
 */
import {
  appendXorValue,
  BitReader,
  type BitWriter,
  CodecError,
  finishBits,
  newBitWriter,
  newXorDecoderState,
  newXorEncoderState,
  readXorValue,
  reserveBits,
  writeBits,
  type XorState,
} from '@varve/gorilla-codec'
import { type CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '@varve/tsdb-core/model'
import { bitsOf, type FloatBits, isStale, numberOf, readFloatBits, STALE_BITS, writeFloatBits } from './float-bits.js'
import { CHUNK_ENCODING_FLOAT_HISTOGRAM, CHUNK_ENCODING_HISTOGRAM, ChunkError } from './format.js'
import { readVarbitInt, readVarbitUint, writeVarbitInt, writeVarbitUint } from './varbit.js'

/** Where Prometheus cuts a chunk too. */
const SAMPLES_PER_CHUNK = 120

const FLAG_RESET = 0b10000000
const FLAG_NOT_RESET = 0b01000000
const FLAG_GAUGE = 0b11000000
/** Bounds with at most three decimals up to this, times 1000, take a varbit. */
const CUSTOM_BOUND_MAX = 33_554_430

/** A varbit takes 72 bits at most, a float's difference 77. */
const PIECE_SIZE_MAX = 10

export interface HistogramChunk {
  readonly encoding: typeof CHUNK_ENCODING_HISTOGRAM | typeof CHUNK_ENCODING_FLOAT_HISTOGRAM
  readonly firstMs: number
  readonly lastMs: number
  readonly data: Uint8Array
}

export interface HistogramSamples {
  readonly timestampsMs: Float64Array
  readonly histograms: readonly Histogram[]
}

/** Cuts a series' histograms into chunks as Prometheus would: by layout, kind, counter resets, staleness and count. */
export function encodeHistogramChunks(samples: HistogramSamples): HistogramChunk[] {
  const chunks: HistogramChunk[] = []
  let open: ChunkEncoder | undefined
  samples.histograms.forEach((histogram, i) => {
    const timestampMs = samples.timestampsMs[i]
    if (open === undefined || !open.takes(histogram)) {
      if (open !== undefined) chunks.push(open.finish())
      open = new ChunkEncoder(histogram)
    }
    open.append(timestampMs, histogram)
  })
  if (open !== undefined) chunks.push(open.finish())
  return chunks
}

/** @throws {ChunkError} `CORRUPT` for bits that end early or contradict themselves. */
export function decodeHistogramChunk(encoding: number, data: Uint8Array): HistogramSamples {
  if (encoding !== CHUNK_ENCODING_HISTOGRAM && encoding !== CHUNK_ENCODING_FLOAT_HISTOGRAM) {
    throw new ChunkError('UNSUPPORTED', `chunk encoding ${encoding} is none of histograms: those are 2 and 3`)
  }
  try {
    return decode(encoding === CHUNK_ENCODING_HISTOGRAM, data)
  } catch (error) {
    if (error instanceof CodecError || error instanceof RangeError) {
      throw new ChunkError('CORRUPT', `histogram chunk of ${data.length} bytes: ${error.message}`, { cause: error })
    }
    throw error
  }
}

class ChunkEncoder {
  readonly #layout: Histogram
  readonly #out = newBitWriter(new Uint8Array(512), 0)
  readonly #integer: boolean
  #count = 0
  #firstMs = 0
  #lastMs = 0
  #deltaMs = 0
  #ended = false
  #counts: CountColumn[] = []
  readonly #sum = newXorEncoderState()
  #previous: Histogram | undefined

  constructor(first: Histogram) {
    this.#layout = first
    this.#integer = first.integer
    const empty = first.stale
    const { positiveSpans, negativeSpans, customValues } = first
    reserveBits(
      this.#out,
      64 + PIECE_SIZE_MAX * 2 * (positiveSpans.length + negativeSpans.length + customValues.length),
    )
    writeBits(this.#out, 0, 16) // The number of samples is written at the end.
    writeBits(this.#out, flagsOf(first.counterResetHint), 8)
    writeZeroThreshold(this.#out, empty ? 0 : first.zeroThreshold)
    writeVarbitInt(this.#out, empty ? 0 : first.schema)
    writeSpans(this.#out, empty ? [] : positiveSpans)
    writeSpans(this.#out, empty ? [] : negativeSpans)
    if (!empty && first.schema === CUSTOM_BUCKETS_SCHEMA) writeCustomBounds(this.#out, customValues)
  }

  /** Whether the chunk can go on with this histogram. */
  takes(histogram: Histogram): boolean {
    if (this.#ended || this.#count >= SAMPLES_PER_CHUNK) return false
    if (histogram.integer !== this.#integer) return false
    if (histogram.stale) return true
    if ((histogram.counterResetHint === 'gauge') !== (this.#layout.counterResetHint === 'gauge')) return false
    if (histogram.counterResetHint === 'reset') return false
    return sameLayout(this.#layout, histogram) && (histogram.counterResetHint === 'gauge' || !this.#fell(histogram))
  }

  append(timestampMs: number, histogram: Histogram): void {
    const out = this.#out
    reserveBits(out, PIECE_SIZE_MAX)
    if (this.#count === 0) {
      this.#firstMs = timestampMs
      writeVarbitInt(out, timestampMs)
    } else {
      const deltaMs = timestampMs - this.#lastMs
      writeVarbitInt(out, this.#count === 1 ? deltaMs : deltaMs - this.#deltaMs)
      this.#deltaMs = deltaMs
    }
    this.#lastMs = timestampMs
    this.#writeCounts(histogram)
    this.#count++
    this.#ended = histogram.stale
    this.#previous = histogram
  }

  finish(): HistogramChunk {
    const data = this.#out.bytes.slice(0, finishBits(this.#out))
    data[0] = this.#count >>> 8
    data[1] = this.#count & 0xff
    return {
      encoding: this.#integer ? CHUNK_ENCODING_HISTOGRAM : CHUNK_ENCODING_FLOAT_HISTOGRAM,
      firstMs: this.#firstMs,
      lastMs: this.#lastMs,
      data,
    }
  }

  #writeCounts(histogram: Histogram): void {
    const out = this.#out
    const first = this.#count === 0
    const columns = histogram.stale ? [0, 0] : columnsOf(histogram, this.#integer)
    reserveBits(out, PIECE_SIZE_MAX * (columns.length + 2))
    while (this.#counts.length < columns.length)
      this.#counts.push(new CountColumn(this.#counts.length < 2, this.#integer ? undefined : newXorEncoderState()))
    const write = (i: number) => {
      // Of an integer histogram, a staleness marker keeps the counts before it: one bit each.
      if (histogram.stale && this.#integer && !first) writeBits(out, 0, 1)
      else this.#counts[i].append(out, columns[i], this.#count)
    }
    write(0)
    write(1)
    const sum = histogram.stale ? STALE_BITS : bitsOf(histogram.sum)
    writeXor(out, this.#sum, sum, first)
    for (let i = 2; i < columns.length; i++) write(i)
  }

  /** A count is lower than before: a counter reset, which begins a new chunk. */
  #fell(histogram: Histogram): boolean {
    const before = this.#previous as Histogram
    if (histogram.count < before.count || histogram.zeroCount < before.zeroCount) return true
    const lower = (now: Float64Array, old: Float64Array) => now.some((count, i) => count < old[i])
    return (
      lower(histogram.positiveBuckets, before.positiveBuckets) ||
      lower(histogram.negativeBuckets, before.negativeBuckets)
    )
  }
}

/** Count, zero count, or one bucket, from sample to sample. */
class CountColumn {
  readonly #xor: XorState | undefined
  /** The first value of an overall count is unsigned, that of a bucket signed. */
  readonly #unsigned: boolean
  #value = 0
  #delta = 0

  /** `xor` is absent for integers. */
  constructor(unsigned: boolean, xor: XorState | undefined) {
    this.#xor = xor
    this.#unsigned = unsigned
  }

  append(out: BitWriter, value: number, sampleIndex: number): void {
    if (this.#xor !== undefined) {
      writeXor(out, this.#xor, bitsOf(value), sampleIndex === 0)
    } else if (sampleIndex === 0) {
      if (this.#unsigned) writeVarbitUint(out, value)
      else writeVarbitInt(out, value)
    } else {
      const delta = value - this.#value
      writeVarbitInt(out, sampleIndex === 1 ? delta : delta - this.#delta)
      this.#delta = delta
    }
    this.#value = value
  }

  read(from: BitReader, sampleIndex: number): number {
    if (this.#xor !== undefined) {
      this.#value = numberOf(readXor(from, this.#xor, sampleIndex === 0))
    } else if (sampleIndex === 0) {
      this.#value = this.#unsigned ? readVarbitUint(from) : readVarbitInt(from)
    } else {
      const coded = readVarbitInt(from)
      this.#delta = sampleIndex === 1 ? coded : this.#delta + coded
      this.#value += this.#delta
    }
    return this.#value
  }
}

/** Count, zero count, then the buckets: of an integer histogram each bucket less the one before it. */
function columnsOf(histogram: Histogram, integer: boolean): number[] {
  const columns = [histogram.count, histogram.zeroCount]
  for (const buckets of [histogram.positiveBuckets, histogram.negativeBuckets]) {
    buckets.forEach((count, i) => {
      columns.push(integer && i > 0 ? count - buckets[i - 1] : count)
    })
  }
  return columns
}

function decode(integer: boolean, data: Uint8Array): HistogramSamples {
  if (data.length < 3) throw new RangeError('a chunk has at least three bytes')
  const sampleCount = (data[0] << 8) | data[1]
  const flags = data[2] & 0b11000000
  const from = new BitReader(data, 3, data.length)
  const zeroThreshold = readZeroThreshold(from)
  const schema = readVarbitInt(from)
  const positiveSpans = readSpans(from, data.length)
  const negativeSpans = readSpans(from, data.length)
  const customValues = schema === CUSTOM_BUCKETS_SCHEMA ? readCustomBounds(from, data.length) : new Float64Array()
  const positiveCount = bucketCount(positiveSpans)
  const negativeCount = bucketCount(negativeSpans)
  // Each bucket takes at least one bit of each sample.
  if (positiveCount + negativeCount > data.length * 8) throw new RangeError('more buckets than bits')

  const counts = Array.from(
    { length: 2 + positiveCount + negativeCount },
    (_, i) => new CountColumn(i < 2, integer ? undefined : newXorDecoderState()),
  )
  const sums = newXorDecoderState()
  const timestampsMs = new Float64Array(sampleCount)
  const histograms: Histogram[] = []
  let deltaMs = 0
  for (let i = 0; i < sampleCount; i++) {
    const coded = readVarbitInt(from)
    if (i === 1) deltaMs = coded
    else if (i > 1) deltaMs += coded
    timestampsMs[i] = i === 0 ? coded : timestampsMs[i - 1] + deltaMs
    const count = counts[0].read(from, i)
    const zeroCount = counts[1].read(from, i)
    const sumBits = readXor(from, sums, i === 0)
    const stale = isStale(sumBits)
    const readBuckets = (at: number, size: number) => {
      const buckets = new Float64Array(stale ? 0 : size)
      for (let k = 0; k < buckets.length; k++) {
        const value = counts[at + k].read(from, i)
        buckets[k] = integer && k > 0 ? buckets[k - 1] + value : value
      }
      return buckets
    }
    histograms.push({
      schema,
      zeroThreshold,
      zeroCount: stale ? 0 : zeroCount,
      count: stale ? 0 : count,
      sum: numberOf(sumBits),
      counterResetHint: hintOf(flags, i),
      positiveSpans: stale ? [] : positiveSpans,
      negativeSpans: stale ? [] : negativeSpans,
      positiveBuckets: readBuckets(2, positiveCount),
      negativeBuckets: readBuckets(2 + positiveCount, negativeCount),
      customValues,
      stale,
      integer,
    })
  }
  return { timestampsMs, histograms }
}

/** The first value stands in full. */
function writeXor(out: BitWriter, state: XorState, bits: FloatBits, first: boolean): void {
  if (!first) {
    appendXorValue(out, state, 0, bits.low | 0, bits.high | 0)
    return
  }
  state.low = bits.low | 0
  state.high = bits.high | 0
  writeFloatBits(out, bits)
}

/** Good until the next value is read. */
function readXor(from: BitReader, state: XorState, first: boolean): FloatBits {
  if (first) {
    state.high = from.bits(32)
    state.low = from.bits(32)
  } else readXorValue(from, state)
  return state
}

function flagsOf(hint: CounterResetHint): number {
  const flags: Record<CounterResetHint, number> = {
    unknown: 0,
    reset: FLAG_RESET,
    notReset: FLAG_NOT_RESET,
    gauge: FLAG_GAUGE,
  }
  return flags[hint]
}

/** After the first sample of a counter chunk there is no reset; whether there is one before it, only some flags tell. */
function hintOf(flags: number, sampleIndex: number): CounterResetHint {
  if (flags === FLAG_GAUGE) return 'gauge'
  if (sampleIndex > 0) return 'notReset'
  return flags === FLAG_RESET ? 'reset' : 'unknown'
}

function sameLayout(a: Histogram, b: Histogram): boolean {
  return (
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    sameSpans(a.positiveSpans, b.positiveSpans) &&
    sameSpans(a.negativeSpans, b.negativeSpans) &&
    a.customValues.length === b.customValues.length &&
    a.customValues.every((bound, i) => bound === b.customValues[i])
  )
}

function sameSpans(a: readonly Span[], b: readonly Span[]): boolean {
  return a.length === b.length && a.every((span, i) => span.offset === b[i].offset && span.length === b[i].length)
}

function bucketCount(spans: readonly Span[]): number {
  return spans.reduce((count, span) => count + span.length, 0)
}

/** One byte for zero and for powers of two from 2^-243 to 2^10, which stand as their exponent; nine bytes for all else. */
function writeZeroThreshold(out: BitWriter, threshold: number): void {
  const exponent = Math.log2(threshold)
  if (threshold === 0) writeBits(out, 0, 8)
  else if (Number.isInteger(exponent) && 2 ** exponent === threshold && exponent >= -243 && exponent <= 10) {
    writeBits(out, exponent + 244, 8)
  } else {
    writeBits(out, 255, 8)
    writeFloatBits(out, bitsOf(threshold))
  }
}

function readZeroThreshold(from: BitReader): number {
  const code = from.bits(8)
  if (code === 0) return 0
  return code < 255 ? 2 ** (code - 244) : numberOf(readFloatBits(from))
}

function writeSpans(out: BitWriter, spans: readonly Span[]): void {
  writeVarbitUint(out, spans.length)
  for (const { length, offset } of spans) {
    writeVarbitUint(out, length)
    writeVarbitInt(out, offset)
  }
}

function readSpans(from: BitReader, sizeBytes: number): Span[] {
  const count = readVarbitUint(from)
  if (count > sizeBytes * 8) throw new RangeError(`${count} spans in ${sizeBytes} bytes`)
  return Array.from({ length: count }, () => {
    const length = readVarbitUint(from)
    return { length, offset: readVarbitInt(from) }
  })
}

function writeCustomBounds(out: BitWriter, bounds: Float64Array): void {
  writeVarbitUint(out, bounds.length)
  for (const bound of bounds) {
    const thousandfold = bound * 1000
    // Prometheus takes the short form also where it does not give the bound back exactly: -0, and one ulp from a decimal.
    const exact = Object.is((thousandfold + 0) / 1000, bound)
    if (exact && thousandfold >= 0 && thousandfold <= CUSTOM_BOUND_MAX && Number.isInteger(thousandfold)) {
      writeVarbitUint(out, thousandfold + 1)
    } else {
      writeBits(out, 0, 1)
      writeFloatBits(out, bitsOf(bound))
    }
  }
}

function readCustomBounds(from: BitReader, sizeBytes: number): Float64Array {
  const count = readVarbitUint(from)
  if (count > sizeBytes * 8) throw new RangeError(`${count} bounds in ${sizeBytes} bytes`)
  return Float64Array.from({ length: count }, () => {
    const code = readVarbitUint(from)
    return code > 0 ? (code - 1) / 1000 : numberOf(readFloatBits(from))
  })
}
