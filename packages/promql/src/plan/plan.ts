/**
 * What an expression has to do, once the query's times are known.
 *
 * Compared with the syntax tree: parentheses are gone, `start()`, `end()`, `range()` and `step()` are numbers, `@` and offset
 * are milliseconds, and whatever is the same at every step stands under a node of its own that runs once.
 */
import type { Matcher } from '@varve/tsdb-core/model'
import type { AggregationOperator, BinaryOperator, FunctionSignature, PositionRange, VectorMatching } from '../ast.js'

export type PlanNode =
  | NumberPlan
  | StringPlan
  | SelectPlan
  | WindowPlan
  | SubqueryPlan
  | CallPlan
  | RangeCallPlan
  | AggregationPlan
  | BinaryPlan
  | SignPlan
  | InvariantPlan

interface PlanBase {
  /** Of the written expression, parentheses and all: annotations point there. */
  readonly position: PositionRange
}

export interface NumberPlan extends PlanBase {
  readonly kind: 'number'
  readonly value: number
}

export interface StringPlan extends PlanBase {
  readonly kind: 'string'
  readonly value: string
}

/** Which series, read at which times. */
export interface SelectorPlan {
  readonly matchers: readonly Matcher[]
  readonly offsetMs: number
  /** `@`: the evaluation time does not matter. */
  readonly atMs: number | undefined
  readonly anchored: boolean
  readonly smoothed: boolean
  /** Only counts and sums of histograms matter: their reset hints are then found from the samples that are read. */
  readonly statsOnly: boolean
}

/** The newest sample in the lookback. */
export interface SelectPlan extends PlanBase, SelectorPlan {
  readonly kind: 'select'
}

/** The samples in a window: `x[5m]`. */
export interface WindowPlan extends PlanBase, SelectorPlan {
  readonly kind: 'window'
  readonly rangeMs: number
}

export interface SubqueryPlan extends PlanBase {
  readonly kind: 'subquery'
  readonly child: PlanNode
  readonly rangeMs: number
  readonly stepMs: number
  readonly offsetMs: number
  readonly atMs: number | undefined
}

export interface CallPlan extends PlanBase {
  readonly kind: 'call'
  readonly function: FunctionSignature
  readonly arguments: readonly PlanNode[]
}

/** A function over a range vector. */
export interface RangeCallPlan extends PlanBase {
  readonly kind: 'rangeCall'
  readonly function: FunctionSignature
  readonly source: WindowPlan | SubqueryPlan
  readonly scalars: readonly PlanNode[]
}

export interface AggregationPlan extends PlanBase {
  readonly kind: 'aggregation'
  readonly operator: AggregationOperator
  readonly child: PlanNode
  readonly parameter: PlanNode | undefined
  readonly grouping: readonly string[]
  readonly without: boolean
}

export interface BinaryPlan extends PlanBase {
  readonly kind: 'binary'
  readonly operator: BinaryOperator
  readonly left: PlanNode
  readonly right: PlanNode
  readonly returnBool: boolean
  readonly matching: VectorMatching | undefined
  /** Types of the two sides. */
  readonly leftScalar: boolean
  readonly rightScalar: boolean
}

/** A sign. A plus changes no value, but it is no selector any more, and annotations point at it. */
export interface SignPlan extends PlanBase {
  readonly kind: 'sign'
  readonly negative: boolean
  readonly child: PlanNode
  readonly scalar: boolean
}

/** The same at every step: computed at the first, and repeated. */
export interface InvariantPlan extends PlanBase {
  readonly kind: 'invariant'
  readonly child: PlanNode
}
