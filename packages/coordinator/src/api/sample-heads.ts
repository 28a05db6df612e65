/**
 * `[1700000000,"`: what stands before each sample of a series in JSON, as bytes.
 *
 * The panels of a dashboard ask for the same steps, one after the other, so those of the last grid are kept.
 */
import type { ResultSeries } from '@varve/promql'
import { goTimestamp } from './go-json.js'
import type { SampleHeadBytes } from './json-bytes.js'

type Grid = NonNullable<ResultSeries['grid']>

/** Some 200 KiB of heads: more steps than one answer may have are made anew each time. */
const KEPT_STEPS_MAX = 11_001

/** For all series of a result: on its grid, or at the times of a series of its own. */
export interface SampleHeads {
  /** Absent without a grid. */
  readonly ofGrid: SampleHeadBytes | undefined
  of(timesMs: Float64Array): SampleHeadBytes
}

export function headBytes(grid: Grid | undefined): SampleHeads {
  return new RecentHeads(grid === undefined ? undefined : kept.of(grid))
}

/** Series in a row that share their times share what was made of them. */
class RecentHeads implements SampleHeads {
  readonly ofGrid: SampleHeadBytes | undefined
  #last: SampleHeadBytes | undefined
  #lastTimesMs: Float64Array | undefined

  constructor(ofGrid: SampleHeadBytes | undefined) {
    this.ofGrid = ofGrid
  }

  of(timesMs: Float64Array): SampleHeadBytes {
    if (this.#last === undefined || this.#lastTimesMs === undefined || !isSameView(this.#lastTimesMs, timesMs)) {
      this.#last = bytesAt(timesMs)
    }
    this.#lastTimesMs = timesMs
    return this.#last
  }
}

/** The heads of the last grid, which are a function of its three numbers alone. */
class KeptHeads {
  #startMs = NaN
  #stepMs = NaN
  #stepCount = 0
  #heads: SampleHeadBytes | undefined

  of({ startMs, stepMs, stepCount }: Grid): SampleHeadBytes {
    if (
      this.#heads !== undefined &&
      startMs === this.#startMs &&
      stepMs === this.#stepMs &&
      stepCount === this.#stepCount
    ) {
      return this.#heads
    }
    const timesMs = new Float64Array(stepCount)
    for (let i = 0; i < stepCount; i++) timesMs[i] = startMs + i * stepMs
    const heads = bytesAt(timesMs)
    if (stepCount > KEPT_STEPS_MAX) return heads
    this.#startMs = startMs
    this.#stepMs = stepMs
    this.#stepCount = stepCount
    this.#heads = heads
    return heads
  }
}

const kept = new KeptHeads()

function bytesAt(timesMs: Float64Array): SampleHeadBytes {
  let text = ''
  const ends = new Uint32Array(timesMs.length)
  for (let i = 0; i < timesMs.length; i++) {
    text += head(timesMs[i])
    ends[i] = text.length
  }
  return { bytes: Buffer.from(text, 'latin1'), ends }
}

export function head(timeMs: number): string {
  return `[${goTimestamp(timeMs)},"`
}

function isSameView(a: Float64Array, b: Float64Array): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.length === b.length
}
