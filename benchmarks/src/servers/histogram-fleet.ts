/**
 * Native histograms of request latencies: counters of schema 3 whose populated buckets grow to some 40 to 160, as a client
 * library counts them, encoded as remote-write requests.
 */
import { compressSync } from 'snappy'
import { FleetRandom, seedOf } from '../fleet/random.js'
import { encodeLabels } from './write-requests.js'

export interface HistogramFleetOptions {
  readonly seriesCount: number
  readonly steps: number
  readonly startMs: number
  readonly stepMs: number
}

const SCHEMA = 3
const ZERO_THRESHOLD = 2 ** -128

/** One series: its buckets so far, from the lowest to the highest that was ever hit. */
class LatencySeries {
  readonly labels: Uint8Array
  readonly #random: FleetRandom
  /** Expected observations a step, by bucket index from `#lowest` on. */
  readonly #rates: Float64Array
  readonly #lowest: number
  readonly counts: Float64Array
  sum = 0
  #first = Number.POSITIVE_INFINITY
  #last = Number.NEGATIVE_INFINITY

  constructor(index: number) {
    this.#random = new FleetRandom(seedOf(7, index))
    const handler = `/api/${index % 20}`
    const instance = `host-${String(Math.floor(index / 20)).padStart(4, '0')}:9100`
    this.labels = encodeLabels(['__name__', 'request_latency_seconds', 'handler', handler, 'instance', instance])
    // Most handlers see a few requests a step, some see thousands.
    const perStep = 2 * 10 ** (3 * this.#random.fraction() ** 1.5)
    const bucketCount = 40 + this.#random.below(121)
    this.#lowest = -60 + this.#random.below(30)
    this.#rates = new Float64Array(bucketCount)
    let total = 0
    for (let i = 0; i < bucketCount; i++) {
      const distance = (i - bucketCount * 0.4) / (bucketCount / 5)
      total += this.#rates[i] = Math.exp(-(distance * distance) / 2)
    }
    for (let i = 0; i < bucketCount; i++) this.#rates[i] *= perStep / total
    this.counts = new Float64Array(bucketCount)
  }

  step(): void {
    for (let i = 0; i < this.#rates.length; i++) {
      const events = this.#random.events(this.#rates[i])
      if (events === 0) continue
      this.counts[i] += events
      this.#first = Math.min(this.#first, i)
      this.#last = Math.max(this.#last, i)
      const middle = 2 ** ((this.#lowest + i - 0.5) / 2 ** SCHEMA)
      this.sum += events * middle * (0.97 + 0.06 * this.#random.fraction())
    }
  }

  /** Writes the field `histograms` of a TimeSeries. */
  encode(out: MessageBytes, timestampMs: number): void {
    const first = Math.min(this.#first, this.#last + 1)
    const end = this.#last + 1
    let count = 0
    for (let i = first; i < end; i++) count += this.counts[i]
    const histogram = out.begin(4)
    out.varintField(1, count)
    out.doubleField(3, this.sum)
    out.varintField(4, zigzag(SCHEMA))
    out.doubleField(5, ZERO_THRESHOLD)
    out.varintField(6, 0)
    if (first < end) {
      const span = out.begin(11)
      out.varintField(1, zigzag(this.#lowest + first))
      out.varintField(2, end - first)
      out.end(span)
      const deltas = out.begin(12)
      for (let i = first, before = 0; i < end; i++) {
        out.varint(zigzag(this.counts[i] - before))
        before = this.counts[i]
      }
      out.end(deltas)
    }
    out.varintField(15, timestampMs)
    out.end(histogram)
  }
}

/** Request bodies, step by step, with the histograms of 500 series each. */
export function* histogramRequests(options: HistogramFleetOptions): Generator<Uint8Array> {
  const series = Array.from({ length: options.seriesCount }, (_, index) => new LatencySeries(index))
  const out = new MessageBytes()
  for (let step = 0; step < options.steps; step++) {
    const timestampMs = options.startMs + step * options.stepMs
    for (let from = 0; from < series.length; from += 500) {
      out.length = 0
      for (const one of series.slice(from, from + 500)) {
        one.step()
        const timeSeries = out.begin(1)
        out.raw(one.labels)
        one.encode(out, timestampMs)
        out.end(timeSeries)
      }
      yield compressSync(Buffer.from(out.bytes.subarray(0, out.length))) as Uint8Array
    }
  }
}

/** A protobuf message as it grows. Inner messages are shorter than 2 MiB: their sizes take three bytes, whatever they are. */
class MessageBytes {
  bytes = new Uint8Array(1 << 20)
  length = 0
  readonly #double = new Float64Array(1)
  readonly #doubleBytes = new Uint8Array(this.#double.buffer)

  /** Begins an inner message; `end` takes what it returns. */
  begin(field: number): number {
    this.varint((field << 3) | 2)
    this.#reserve(3)
    return (this.length += 3)
  }

  end(start: number): void {
    const size = this.length - start
    this.bytes[start - 3] = (size & 127) | 128
    this.bytes[start - 2] = ((size >> 7) & 127) | 128
    this.bytes[start - 1] = size >> 14
  }

  varintField(field: number, value: number): void {
    this.varint(field << 3)
    this.varint(value)
  }

  doubleField(field: number, value: number): void {
    this.varint((field << 3) | 1)
    this.#double[0] = value
    this.raw(this.#doubleBytes)
  }

  /** Of an integer below 2^53. */
  varint(value: number): void {
    this.#reserve(8)
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.bytes[this.length++] = (rest % 128) | 128
    this.bytes[this.length++] = rest
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  #reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const larger = new Uint8Array(2 * this.bytes.length + count)
    larger.set(this.bytes)
    this.bytes = larger
  }
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}
