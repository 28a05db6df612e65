/**
 * The answer to a query, in columns.
 *
 * A vector, a scalar and a range query's answer have a value for each step of the query's grid; a range vector
 * (an instant query for `x[5m]`) has samples with times of their own. `forEachSample` reads both.
 */
import { type Histogram, Labels } from '@varve/tsdb-core/model'
import type { QueryStats } from './stats.js'

export interface QueryResult {
  /** What the expression is. A range query always answers a matrix, whatever the expression. */
  readonly type: 'scalar' | 'vector' | 'matrix' | 'string'
  /** The evaluation time of an instant query; the last step of a range query. */
  readonly timeMs: number
  /** The text, if `type` is `string`. */
  readonly text?: string
  /** Empty if `type` is `string`; one series without labels if it is `scalar`. */
  readonly series: ResultSeries
  /** At most ten of each kind, in the order in which they were met, then how many more there were. */
  readonly warnings: readonly string[]
  readonly infos: readonly string[]
  readonly stats: QueryStats
}

export interface ResultSeries {
  readonly count: number
  /** A matrix is sorted by labels; a vector keeps the order of `sort`, `topk` and their kin. */
  labels(series: number): Labels
  /** Samples of one series, oldest first. `histogram` is undefined for a float; `value` is 0 for a histogram. */
  forEachSample(series: number, visit: (timeMs: number, value: number, histogram: Histogram | undefined) => void): void
  sampleCount(series: number): number
  /** Of a range vector: the columns of one series. Series of one scrape may share the memory of their times. */
  samples?(series: number): ResultSamples
  /** The columns behind it, unless it is a range vector. */
  readonly grid?: ResultGrid
  /** The labels of all series as columns, for who writes many of them. */
  readonly labelSets?: ResultLabelSets
}

/** Label sets as ids of texts. */
export interface ResultLabelSets {
  /** Series i has set `sets[i]`. */
  readonly sets: Uint32Array
  /** Set s has the texts `pairs[2·offsets[s] .. 2·offsets[s+1])`: name, value, name, value …, sorted by name. */
  readonly pairs: Uint32Array
  readonly offsets: Uint32Array
  /** Ids are below this. */
  readonly textCount: number
  readonly text: (id: number) => string
}

export interface ResultSamples {
  readonly timesMs: Float64Array
  /** 0 where the sample is a histogram. */
  readonly values: Float64Array
  /** Undefined when all samples are floats. */
  readonly histograms: readonly (Histogram | undefined)[] | undefined
}

export interface ResultGrid {
  readonly startMs: number
  readonly stepMs: number
  readonly stepCount: number
  /** Series i is row `rows[i]`; its step s stands at `rows[i]·stepCount + s`. */
  readonly rows: Uint32Array
  readonly values: Float64Array
  /** 0 absent, 1 float, 2 histogram. */
  readonly presence: Uint8Array
  readonly histograms: readonly (Histogram | undefined)[] | undefined
}

export const NO_SERIES: ResultSeries = {
  count: 0,
  labels: () => Labels.EMPTY,
  forEachSample: () => undefined,
  sampleCount: () => 0,
}
