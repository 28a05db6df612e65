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

export function headsOfGrid(grid: Grid): SampleHeadBytes {
  return kept.of(grid)
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
    const heads = headsAt(timesMs)
    if (stepCount > KEPT_STEPS_MAX) return heads
    this.#startMs = startMs
    this.#stepMs = stepMs
    this.#stepCount = stepCount
    this.#heads = heads
    return heads
  }
}

const kept = new KeptHeads()

export function headsAt(timesMs: Float64Array): SampleHeadBytes {
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
