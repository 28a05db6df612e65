export type {
  Aggregation,
  AggregationOperator,
  ArithmeticOperator,
  AtBoundary,
  BinaryExpression,
  BinaryOperator,
  Call,
  ComparisonOperator,
  DurationExpression,
  DurationOperation,
  Expression,
  FunctionSignature,
  MatchCardinality,
  MatrixSelector,
  NumberLiteral,
  ParenExpression,
  PositionRange,
  SetOperator,
  StringLiteral,
  Subquery,
  TimeShift,
  TrimOperator,
  UnaryExpression,
  ValueType,
  VectorMatching,
  VectorSelector,
} from './ast.js'
export { childrenOf, unwrapParens, valueTypeOf } from './ast.js'
export { lineAndColumn } from './engine/annotations.js'
export type { EngineClock } from './engine/clock.js'
export type { EngineOptions, InstantQueryRequest, QueryRequest, RangeQueryRequest } from './engine/engine.js'
export { Engine } from './engine/engine.js'
export type { QueryLimits } from './engine/limits.js'
export { DEFAULT_LIMITS } from './engine/limits.js'
export type { QueryResult, ResultGrid, ResultLabelSets, ResultSeries } from './engine/result.js'
export type { QueryStats, TraceNode } from './engine/stats.js'
export type { PromqlErrorCode, PromqlErrorOptions } from './errors.js'
export { PromqlError } from './errors.js'
export * from './histograms/index.js'
export { isComparison, isSetOperator, typeName } from './parser/check.js'
export { formatDuration, millisecondsOf, parseDuration } from './parser/duration.js'
export { formatFloat, formatFloatG, quote } from './parser/go-text.js'
export type { ParserOptions } from './parser/options.js'
export { parseExpression, parseSelector } from './parser/parser.js'
export type { QueryTimes } from './parser/resolve-durations.js'
export { resolveDurations } from './parser/resolve-durations.js'
export { FUNCTIONS } from './parser/signatures.js'
export { Source } from './parser/source.js'
export type { JsonNode } from './printer/json.js'
export { expressionToJson } from './printer/json.js'
export { prettyExpression, printExpression, printMatcher } from './printer/print.js'
