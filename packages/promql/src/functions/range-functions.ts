/** The table of functions over range vectors. */
import { changesFloats, resetsFloats } from './counts.js'
import { extendedChanges, extendedGrowth, extendedResets } from './extended-floats.js'
import { maxFloats, minFloats, timeOfMaxFloats, timeOfMinFloats } from './extremes-over-time.js'
import { instantRate, type RateKind } from './histogram-rate.js'
import { growthOfHistograms } from './histogram-steps.js'
import { ideltaFloats, irateFloats } from './instant-rate.js'
import { smoothingFloats, smoothingWindow, stddevFloats, stdvarFloats } from './moments-over-time.js'
import {
  countFloats,
  firstFloats,
  lastFloats,
  presentFloats,
  timeOfFirstFloats,
  timeOfLastFloats,
} from './picks-over-time.js'
import { madFloats, quantileFloats } from './quantile.js'
import type { FloatsKernel, RangeFunction } from './range-function.js'
import { deltaFloats, increaseFloats, rateFloats } from './rate.js'
import { derivFloats, predictFloats } from './regression.js'
import { avgFloats, sumFloats } from './sums-over-time.js'
import { changesOf, pickSample, pickTime, rateOf, resetsOf, totalOf } from './window-functions.js'
import { ignoringHistograms, windowOf } from './windows-of-floats.js'

const DELTA: RateKind = { isCounter: false, perSecond: false }
const INCREASE: RateKind = { isCounter: true, perSecond: false }
const RATE: RateKind = { isCounter: true, perSecond: true }

const RANGE_FUNCTIONS: ReadonlyMap<string, RangeFunction> = new Map<string, RangeFunction>([
  ['absent_over_time', anySample(presentFloats, () => 1)],
  ['avg_over_time', { floats: avgFloats, kernel: 'avg', window: totalOf(avgFloats, true) }],
  ['changes', { floats: changesFloats, extended: extendedChanges, window: changesOf }],
  ['count_over_time', { ...anySample(countFloats, (floats, histograms) => floats + histograms), kernel: 'count' }],
  [
    'delta',
    {
      floats: deltaFloats,
      frames: 'growth',
      kernel: 'delta',
      extended: extendedGrowth(DELTA),
      window: rateOf(deltaFloats, DELTA),
    },
  ],
  ['deriv', { ...floatsOnly(derivFloats), sealedKernel: 'deriv' }],
  ['double_exponential_smoothing', { floats: smoothingFloats, window: smoothingWindow }],
  ['first_over_time', { floats: firstFloats, window: pickSample(false), keepsName: true }],
  ['idelta', { floats: ideltaFloats, window: (window, call) => instantRate(window, call, false) }],
  [
    'increase',
    {
      floats: increaseFloats,
      frames: 'growth',
      kernel: 'growth',
      extended: extendedGrowth(INCREASE),
      window: rateOf(increaseFloats, INCREASE),
      histograms: growthOfHistograms(false),
    },
  ],
  ['irate', { floats: irateFloats, window: (window, call) => instantRate(window, call, true) }],
  ['last_over_time', { floats: lastFloats, kernel: 'last', window: pickSample(true), keepsName: true }],
  ['mad_over_time', floatsOnly(madFloats)],
  ['max_over_time', { ...floatsOnly(maxFloats), kernel: 'max' }],
  ['min_over_time', { ...floatsOnly(minFloats), kernel: 'min' }],
  ['predict_linear', { ...floatsOnly(predictFloats), sealedKernel: 'predict' }],
  ['present_over_time', anySample(presentFloats, () => 1)],
  ['quantile_over_time', floatsOnly(quantileFloats)],
  [
    'rate',
    {
      floats: rateFloats,
      frames: 'growthPerSecond',
      kernel: 'growth',
      perSecond: true,
      extended: extendedGrowth(RATE),
      window: rateOf(rateFloats, RATE),
      histograms: growthOfHistograms(true),
    },
  ],
  ['resets', { floats: resetsFloats, extended: extendedResets, window: resetsOf }],
  ['stddev_over_time', floatsOnly(stddevFloats)],
  ['stdvar_over_time', floatsOnly(stdvarFloats)],
  ['sum_over_time', { floats: sumFloats, kernel: 'sum', window: totalOf(sumFloats, false) }],
  ['ts_of_first_over_time', { floats: timeOfFirstFloats, window: pickTime(false) }],
  ['ts_of_last_over_time', { floats: timeOfLastFloats, window: pickTime(true) }],
  ['ts_of_max_over_time', floatsOnly(timeOfMaxFloats)],
  ['ts_of_min_over_time', floatsOnly(timeOfMinFloats)],
])

export function rangeFunctionOf(name: string): RangeFunction {
  const found = RANGE_FUNCTIONS.get(name)
  if (found === undefined) throw new Error(`${name} does not take a range vector`)
  return found
}

function floatsOnly(kernel: FloatsKernel): RangeFunction {
  return { floats: kernel, window: ignoringHistograms(windowOf(kernel)) }
}

function anySample(kernel: FloatsKernel, answer: (floats: number, histograms: number) => number): RangeFunction {
  return {
    floats: kernel,
    window: ({ floats, histograms }) => answer(floats.length, histograms.length),
  }
}
