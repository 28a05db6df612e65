/** The tables of functions that take no range vector; those that do are in `range-functions.ts`. */

import type { ScalarFunction, VectorFunction } from './call.js'
import { DATE_FUNCTIONS } from './dates.js'
import {
  choose,
  clamp,
  evaluationTimes,
  greater,
  lesser,
  mapDates,
  mapFloats,
  pi,
  round,
  scalar,
  time,
  vector,
} from './elementwise.js'
import { histogramFraction, histogramQuantile, histogramQuantiles } from './histogram-quantile.js'
import { HISTOGRAM_FUNCTIONS } from './histogram-values.js'
import { FLOAT_FUNCTIONS } from './math.js'
import { labelJoin, labelReplace } from './relabel.js'
import { sortByLabel, sortByValue } from './sort.js'

export const SCALAR_FUNCTIONS: ReadonlyMap<string, ScalarFunction> = new Map<string, ScalarFunction>([
  ['max_of', choose(greater)],
  ['min_of', choose(lesser)],
  ['pi', pi],
  ['scalar', scalar],
  ['time', time],
])

export const VECTOR_FUNCTIONS: ReadonlyMap<string, VectorFunction> = new Map<string, VectorFunction>([
  ...[...FLOAT_FUNCTIONS].map(([name, apply]) => [name, mapFloats(apply)] as const),
  ...[...DATE_FUNCTIONS].map(([name, apply]) => [name, mapDates(apply)] as const),
  ...HISTOGRAM_FUNCTIONS,
  ['clamp', clamp],
  ['clamp_max', clamp],
  ['clamp_min', clamp],
  ['histogram_fraction', histogramFraction],
  ['histogram_quantile', histogramQuantile],
  ['histogram_quantiles', histogramQuantiles],
  ['label_join', labelJoin],
  ['label_replace', labelReplace],
  ['round', round],
  ['sort', sortByValue(1)],
  ['sort_by_label', sortByLabel(1)],
  ['sort_by_label_desc', sortByLabel(-1)],
  ['sort_desc', sortByValue(-1)],
  ['timestamp', evaluationTimes],
  ['vector', vector],
])
