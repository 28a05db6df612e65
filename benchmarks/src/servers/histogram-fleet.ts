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

  /** The field `histograms` of a TimeSeries, as bytes. */
  encode(timestampMs: number): number[] {
    const counts = this.#first <= this.#last ? Array.from(this.counts.subarray(this.#first, this.#last + 1)) : []
    const out: number[] = []
    varintField(out, 1, BigInt(counts.reduce((sum, count) => sum + count, 0)))
    doubleField(out, 3, this.sum)
    varintField(out, 4, zigzag(SCHEMA))
    doubleField(out, 5, ZERO_THRESHOLD)
    varintField(out, 6, 0n)
    if (counts.length > 0) {
      const span: number[] = []
      varintField(span, 1, zigzag(this.#lowest + this.#first))
      varintField(span, 2, BigInt(counts.length))
      bytesField(out, 11, span)
      const deltas: number[] = []
      counts.forEach((count, i) => {
        varint(deltas, zigzag(i === 0 ? count : count - counts[i - 1]))
      })
      bytesField(out, 12, deltas)
    }
    varintField(out, 15, BigInt(timestampMs))
    return out
  }
}

/** Request bodies, step by step, with the histograms of 500 series each. */
export function* histogramRequests(options: HistogramFleetOptions): Generator<Uint8Array> {
  const series = Array.from({ length: options.seriesCount }, (_, index) => new LatencySeries(index))
  for (let step = 0; step < options.steps; step++) {
    const timestampMs = options.startMs + step * options.stepMs
    for (let from = 0; from < series.length; from += 500) {
      const parts: Uint8Array[] = []
      for (const one of series.slice(from, from + 500)) {
        one.step()
        const histogram: number[] = []
        bytesField(histogram, 4, one.encode(timestampMs))
        const header = [0x0a]
        varint(header, BigInt(one.labels.length + histogram.length))
        parts.push(Uint8Array.from(header), one.labels, Uint8Array.from(histogram))
      }
      yield compressSync(Buffer.concat(parts)) as Uint8Array
    }
  }
}

function zigzag(value: number): bigint {
  return value >= 0 ? BigInt(value) * 2n : BigInt(-value) * 2n - 1n
}

function varint(out: number[], value: bigint): void {
  let rest = value
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128)
  out.push(Number(rest))
}

function varintField(out: number[], field: number, value: bigint): void {
  varint(out, BigInt(field << 3))
  varint(out, value)
}

function doubleField(out: number[], field: number, value: number): void {
  varint(out, BigInt((field << 3) | 1))
  out.push(...new Uint8Array(Float64Array.of(value).buffer))
}

function bytesField(out: number[], field: number, bytes: readonly number[]): void {
  varint(out, BigInt((field << 3) | 2))
  varint(out, BigInt(bytes.length))
  for (const byte of bytes) out.push(byte)
}
