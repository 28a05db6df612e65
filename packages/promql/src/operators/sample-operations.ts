/**
 * Binary operators on two samples, floats or histograms.
 * Source: Prometheus, promql/engine.go, vectorElemBinop.
 */
import type { Histogram } from '@varve/tsdb-core/model'
import type { BinaryOperator, PositionRange } from '../ast.js'
import type { Annotations } from '../engine/annotations.js'
import {
  addHistograms,
  compactHistogram,
  divideHistogram,
  histogramsEqual,
  scaleHistogram,
  subtractHistograms,
  trimHistogram,
} from '../histograms/index.js'
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
  const combined = combineHistograms(operator, left, right, report)
  if (combined !== NOT_TOGETHER) return combined
  report.annotations.incompatibleTypes(typeNameOf(left), operator, typeNameOf(right), report.position)
  return undefined
}

const NOT_TOGETHER = Symbol('these types do not go together')

/** The operators that histograms have; undefined where they were reported to have no common buckets. */
function combineHistograms(
  operator: BinaryOperator,
  left: number | Histogram,
  right: number | Histogram,
  report: Report,
): Combined | undefined | typeof NOT_TOGETHER {
  const keep = (histogram: Histogram): Combined => ({ value: compactHistogram(histogram), keep: true })
  if (typeof left === 'number') {
    if (typeof right === 'number' || operator !== '*') return NOT_TOGETHER
    return keep(scaleHistogram(right, left))
  }
  if (typeof right === 'number') {
    switch (operator) {
      case '*':
        return keep(scaleHistogram(left, right))
      case '/':
        return keep(divideHistogram(left, right))
      case '</':
        return { value: trimHistogram(left, right, 'below'), keep: true }
      case '>/':
        return { value: trimHistogram(left, right, 'above'), keep: true }
      default:
        return NOT_TOGETHER
    }
  }
  switch (operator) {
    case '==':
      return { value: left, keep: histogramsEqual(left, right) }
    case '!=':
      return { value: left, keep: !histogramsEqual(left, right) }
    case '+':
    case '-': {
      const adds = operator === '+'
      const sum = adds ? addHistograms(left, right) : subtractHistograms(left, right)
      const { annotations, position } = report
      if (sum === undefined) {
        annotations.incompatibleBucketLayout(operator, position)
        return undefined
      }
      const operation = adds ? 'addition' : 'subtraction'
      if (sum.counterResetCollision) annotations.counterResetCollision(operation, position)
      if (sum.boundsReconciled) annotations.mismatchedCustomBuckets(operation, position)
      // A difference may fall: it is no counter.
      return keep(adds ? sum.histogram : { ...sum.histogram, counterResetHint: 'gauge' })
    }
    default:
      return NOT_TOGETHER
  }
}

function typeNameOf(sample: number | Histogram): string {
  return typeof sample === 'number' ? 'float' : 'histogram'
}
