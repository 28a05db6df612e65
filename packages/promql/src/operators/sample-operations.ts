/**
 * Binary operators on two samples, floats or histograms.
 * Source: Prometheus, promql/engine.go, vectorElemBinop.
 */
import type { Histogram } from '@varve/tsdb-core/model'
import type { BinaryOperator, PositionRange } from '../ast.js'
import type { Annotations } from '../engine/annotations.js'
import { COMPARISONS, floatOperation } from './arithmetic.js'

export interface Combined {
  readonly value: number | Histogram
  /** A comparison that does not hold: the sample is filtered out, or 0 with `bool`. */
  readonly keep: boolean
}

export interface Report {
  readonly annotations: Annotations
  /** Of the whole binary expression. */
  readonly position: PositionRange
}

/** Undefined where the types do not go together; that is reported. */
export function combineSamples(
  operator: BinaryOperator,
  left: number | Histogram,
  right: number | Histogram,
  report: Report,
): Combined | undefined {
  if (typeof left === 'number' && typeof right === 'number' && operator !== '</' && operator !== '>/') {
    const result = floatOperation(operator)(left, right)
    return COMPARISONS.has(operator) ? { value: left, keep: result === 1 } : { value: result, keep: true }
  }
  report.annotations.incompatibleTypes(typeNameOf(left), operator, typeNameOf(right), report.position)
  return undefined
}

function typeNameOf(sample: number | Histogram): string {
  return typeof sample === 'number' ? 'float' : 'histogram'
}
