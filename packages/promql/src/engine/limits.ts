/**
 * Limits on one query, and what it has used of them.
 *
 * Samples are counted as Prometheus counts them: those in memory at one time, a histogram by its size. A raw batch is
 * given back once it is folded, so an aggregation over many series counts its groups and one batch.
 */
import { PromqlError } from '../errors.js'

export interface QueryLimits {
  /** Samples in memory at one time. */
  readonly samplesMax: number
  /** Series that all selectors of the query read together. */
  readonly seriesMax: number
  /** Steps of a range query, as Prometheus' API has it. */
  readonly stepsMax: number
  /** Bytes that all selectors read together. */
  readonly bytesMax: number
  /** Nesting of the expression. */
  readonly depthMax: number
  readonly timeoutMs: number
}

export const DEFAULT_LIMITS: QueryLimits = {
  samplesMax: 50_000_000,
  seriesMax: 2_000_000,
  stepsMax: 11_000,
  bytesMax: 4 * 2 ** 30,
  depthMax: 200,
  timeoutMs: 120_000,
}

/** One `HPoint` of Prometheus weighs as many samples as its fields and buckets fill. */
export const BYTES_PER_SAMPLE = 16

export class Budget {
  readonly limits: QueryLimits
  samples = 0
  samplesPeak = 0
  series = 0
  bytes = 0

  constructor(limits: QueryLimits) {
    this.limits = limits
  }

  /** Takes samples into memory. @throws {PromqlError} `execution` beyond `samplesMax`. */
  holdSamples(count: number): void {
    this.samples += count
    if (this.samples > this.samplesPeak) this.samplesPeak = this.samples
    if (this.samples > this.limits.samplesMax) {
      throw new PromqlError(
        'execution',
        'query processing would load too many samples into memory in query execution: ' +
          limitText('samplesMax', this.limits.samplesMax),
      )
    }
  }

  releaseSamples(count: number): void {
    this.samples -= count
  }

  readSeries(count: number): void {
    this.series += count
    if (this.series > this.limits.seriesMax) {
      throw new PromqlError(
        'execution',
        `query reads too many series: ${limitText('seriesMax', this.limits.seriesMax)}`,
      )
    }
  }

  readBytes(count: number): void {
    this.bytes += count
    if (this.bytes > this.limits.bytesMax) {
      throw new PromqlError('execution', `query reads too many bytes: ${limitText('bytesMax', this.limits.bytesMax)}`)
    }
  }
}

export function checkSteps(count: number, limits: QueryLimits): void {
  if (count > limits.stepsMax + 1) {
    throw new PromqlError(
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)' +
        (limits.stepsMax === DEFAULT_LIMITS.stepsMax ? '' : `: ${limitText('stepsMax', limits.stepsMax)}`),
    )
  }
}

function limitText(name: keyof QueryLimits, value: number): string {
  return `the limit ${name} is ${value}; ask for less, or raise it in the query's or the engine's limits`
}
