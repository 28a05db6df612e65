/**
 * Histograms in a finer schema than ours, which are legal on the wire. Whether one makes sense says `histogramProblem` of
 * the PromQL package, with Prometheus' rules and in its words.
 */
import { histogramProblem, reduceResolution } from '@varve/promql'
import type { Histogram } from '@varve/tsdb-core/model'

const SCHEMA_MAX = 8
/** Finer schemas are reduced up to here. */
const SCHEMA_REDUCIBLE_MAX = 52

/** Lowers a schema of 9 to 52 to 8 by merging neighbouring buckets; others are returned as they are. */
export function reduceSchema(histogram: Histogram): Histogram {
  const { schema } = histogram
  if (schema <= SCHEMA_MAX || schema > SCHEMA_REDUCIBLE_MAX) return histogram
  // One whose spans do not fit its buckets is left for `histogramProblem` to name.
  if (histogramProblem({ ...histogram, schema: SCHEMA_MAX }) !== undefined) return histogram
  return reduceResolution(histogram, SCHEMA_MAX)
}
