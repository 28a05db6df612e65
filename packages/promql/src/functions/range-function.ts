/**
 * What a function over a range vector has to offer.
 *
 * `floats` computes all steps of a series without histograms in one pass; `window` one step of any series, plainly: it
 * serves series with histograms, anchored and smoothed windows, and is the oracle of `floats` in tests.
 */
import type { Histogram } from '@varve/tsdb-core/model'
import type { PositionRange } from '../ast.js'
import type { Annotations } from '../engine/annotations.js'
import type { KernelFunction } from '../operators/batch-kernels.js'
import type { Windows } from '../operators/windows.js'

/** The float samples of one series, without staleness markers. Sample i: `values[valueOffset + i]`, `timesMs[timeOffset + i]`. */
export interface FloatSeries {
  values: Float64Array
  valueOffset: number
  timesMs: Float64Array
  timeOffset: number
  count: number
  /** Start timestamps beside the values, 0 where there is none. */
  startTimesMs: Float64Array | undefined
  /** Beside the values of a downsampled column of sums: how many samples each stands for. */
  counts: Float64Array | undefined
}

/** Where the results of one series go: step s at `offset + s`. Presence is absent before. */
export interface StepOutput {
  values: Float64Array
  presence: Uint8Array
  offset: number
}

/** What a range function knows of the call besides the samples. */
export interface RangeCallContext {
  /** Scalar arguments, one value for each step. */
  readonly scalars: readonly Float64Array[]
  readonly annotations: Annotations
  /** Of the range argument: most annotations point there. */
  readonly position: PositionRange
  /** Of each scalar argument. */
  readonly scalarPositions: readonly PositionRange[]
  /** Of the series at hand. */
  metricName: () => string
}

/** The samples of one window of one series, oldest first, floats and histograms apart. */
export interface SampleWindow {
  readonly step: number
  /** The window is `(startMs, endMs]`; anchored and smoothed ones hold samples beyond it too. */
  readonly startMs: number
  readonly endMs: number
  readonly rangeMs: number
  /** The step's evaluation time, which offset and `@` do not move. */
  readonly evaluationMs: number
  readonly floatTimesMs: readonly number[]
  readonly floats: readonly number[]
  /** Beside `floats`; empty if no sample of the series has one. */
  readonly floatStartTimesMs: readonly number[]
  readonly histogramTimesMs: readonly number[]
  readonly histograms: readonly Histogram[]
  readonly histogramStartTimesMs: readonly number[]
  readonly anchored: boolean
  readonly smoothed: boolean
}

/** The histogram samples of one series, without staleness markers. */
export interface HistogramSeries {
  readonly histograms: readonly Histogram[]
  readonly timesMs: Float64Array
  /** Beside the histograms, 0 where there is none; absent where none has one. */
  readonly startTimesMs: Float64Array | undefined
}

/** Puts the result of each step that has one; false, with nothing done, where the histograms do not allow it. */
export type HistogramsKernel = (
  series: HistogramSeries,
  windows: Windows,
  put: (step: number, histogram: Histogram) => void,
) => boolean

export type FloatsKernel = (series: FloatSeries, windows: Windows, out: StepOutput, call: RangeCallContext) => void
/** The windows hold the samples before and behind them that may matter too. */
export type ExtendedKernel = (series: FloatSeries, windows: Windows, out: StepOutput, smoothed: boolean) => void
export type WindowFunction = (window: SampleWindow, call: RangeCallContext) => number | Histogram | undefined

export interface RangeFunction {
  readonly floats: FloatsKernel
  readonly window: WindowFunction
  /** All steps of a series of histograms alone, where they allow it. */
  readonly histograms?: HistogramsKernel
  /** Which frames `floats` looks for in its windows. */
  readonly frames?: 'growth' | 'growthPerSecond'
  /** Anchored and smoothed windows of floats without start timestamps. */
  readonly extended?: ExtendedKernel
  /** The Rust twin of `floats`, for whole batches. */
  readonly kernel?: KernelFunction
  /** A twin that takes columns of sealed blocks only, and windows that hardly overlap. */
  readonly sealedKernel?: KernelFunction
  /** The twin's results are to be divided by the range in seconds. */
  readonly perSecond?: true
  /** last_over_time and first_over_time pick a sample and keep its name. */
  readonly keepsName?: boolean
  /** Checks the scalar arguments of one step. @throws {PromqlError} `execution` */
  readonly checkScalars?: (call: RangeCallContext, step: number) => void
}
