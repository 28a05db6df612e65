/**
 * What of rate, increase and delta depends on times alone, so that all series of one scrape share it.
 * Source: Prometheus, promql/functions.go, extrapolatedRate. The order of operations is kept.
 */
import { FLOAT } from '../operators/vector-batch.js'

/** All columns are by step. Rust twin: native/query/src/growth.rs reads the four columns of seconds one behind the other. */
export interface GrowthFrame {
  /** FLOAT where the window has two samples. */
  readonly presence: Uint8Array
  /** Seconds from the first sample to the last. */
  readonly sampled: Float64Array
  /** Seconds that are extrapolated to the left, and to the right. */
  readonly toStart: Float64Array
  readonly toEnd: Float64Array
  /** (sampled + toStart + toEnd) / sampled, over the range if the function is per second. */
  readonly factor: Float64Array
  /** The range in seconds, 1 if the function is not per second. */
  seconds: number
  /** The least of sampled over toStart. */
  reachMin: number
  /** The steps where `presence` is FLOAT, `[presentFrom, presentTo)`; -1 and their end where they are not in one piece. By `fillGrowthFrame`. */
  presentFrom: number
  presentTo: number
}

/** How many columns of seconds a frame has. */
export const FRAME_COLUMNS = 4

/** A frame in the memory given: `steps` of `presence` from `step`, and `FRAME_COLUMNS · steps` of `seconds`. */
export function growthFrameIn(presence: Uint8Array, seconds: Float64Array, slot: number, steps: number): GrowthFrame {
  const at = slot * steps * FRAME_COLUMNS
  const column = (i: number) => seconds.subarray(at + i * steps, at + (i + 1) * steps)
  return {
    presence: presence.subarray(slot * steps, (slot + 1) * steps),
    sampled: column(0),
    toStart: column(1),
    toEnd: column(2),
    factor: column(3),
    seconds: 1,
    reachMin: Number.POSITIVE_INFINITY,
    presentFrom: -1,
    presentTo: 0,
  }
}

export function newGrowthFrame(steps: number): GrowthFrame {
  return growthFrameIn(new Uint8Array(steps), new Float64Array(steps * FRAME_COLUMNS), 0, steps)
}

/** Where the windows lie: the columns of `Windows` that matter here. */
export interface FrameWindows {
  readonly endsMs: Float64Array
  readonly rangeMs: number
  readonly first: Int32Array
  readonly end: Int32Array
}

/** Fills a frame for windows over `timesMs[timeOffset…]`. */
export function fillGrowthFrame(
  frame: GrowthFrame,
  { endsMs, rangeMs, first, end }: FrameWindows,
  timesMs: Float64Array,
  timeOffset: number,
  perSecond: boolean,
): void {
  const seconds = perSecond ? rangeMs / 1000 : 1
  let reachMin = Number.POSITIVE_INFINITY
  let presentFrom = 0
  let presentTo = 0
  let presentCount = 0
  for (let s = 0; s < endsMs.length; s++) {
    const from = first[s]
    const last = end[s] - 1
    if (last <= from) {
      frame.presence[s] = 0
      // Nothing reaches anywhere, so that the Rust twin need not look at presence where it looks for counters near zero.
      frame.sampled[s] = 0
      frame.toStart[s] = 0
      continue
    }
    const firstMs = timesMs[timeOffset + from]
    const lastMs = timesMs[timeOffset + last]
    const sampled = (lastMs - firstMs) / 1000
    const between = sampled / (last - from)
    const threshold = between * 1.1
    let toStart = (firstMs - (endsMs[s] - rangeMs)) / 1000
    let toEnd = (endsMs[s] - lastMs) / 1000
    if (toStart >= threshold) toStart = between / 2
    if (toEnd >= threshold) toEnd = between / 2
    frame.presence[s] = FLOAT
    if (presentCount++ === 0) presentFrom = s
    presentTo = s + 1
    frame.sampled[s] = sampled
    frame.toStart[s] = toStart
    frame.toEnd[s] = toEnd
    frame.factor[s] = (sampled + toStart + toEnd) / sampled / seconds
    const reach = sampled / toStart
    if (reach < reachMin) reachMin = reach
  }
  frame.seconds = seconds
  frame.reachMin = reachMin
  frame.presentFrom = presentTo - presentFrom === presentCount ? presentFrom : -1
  frame.presentTo = presentTo
}
