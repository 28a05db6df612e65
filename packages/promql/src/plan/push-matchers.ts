/**
 * Matchers of one operand of a binary operator, pushed into the other: `a{host="x"} / on (host) b` reads b of that host only.
 *
 * Series that meet have the same values for the labels that match, so a test of such a label holds on both sides or on
 * neither. It is pushed where leaving out the series that meet nothing leaves out nothing else: not where their absence is
 * itself an answer (`or`, `unless`, fill values), and not where two of them that are alike must be reported.
 */
import { type Matcher, METRIC_NAME } from '@varve/tsdb-core/model'
import type { VectorMatching } from '../ast.js'
import { FLOAT_FUNCTIONS } from '../functions/math.js'
import type { BinaryPlan, PlanNode } from './plan.js'

/** The same plan, with as few series to read as its operators allow. */
export function pushMatchers(node: PlanNode): PlanNode {
  switch (node.kind) {
    case 'binary':
      return pushBetween({ ...node, left: pushMatchers(node.left), right: pushMatchers(node.right) })
    case 'aggregation':
    case 'sign':
    case 'invariant':
    case 'subquery':
      return { ...node, child: pushMatchers(node.child) }
    case 'call':
      return { ...node, arguments: node.arguments.map(pushMatchers) }
    case 'rangeCall': {
      const { source } = node
      return source.kind === 'subquery' ? { ...node, source: { ...source, child: pushMatchers(source.child) } } : node
    }
    default:
      return node
  }
}

function pushBetween(node: BinaryPlan): BinaryPlan {
  const { operator, matching, leftScalar, rightScalar } = node
  if (matching === undefined || leftScalar || rightScalar || operator === 'or') return node
  if (matching.fillLeft !== undefined || matching.fillRight !== undefined) return node
  const [fromLeft, fromRight] = [node.left, node.right].map((side) =>
    guaranteed(side).filter(({ name }) => matches(matching, name)),
  )
  // Two series of a group on the side that may have one are an error as soon as the other side has any series at all.
  const isSet = operator === 'and' || operator === 'unless'
  const one = matching.cardinality === 'one-to-many' ? node.left : node.right
  if (!isSet && !hasNoTwins(one, matching)) return node
  const left = operator === 'unless' ? node.left : narrowed(node.left, fromRight)
  return { ...node, left, right: narrowed(node.right, fromLeft) }
}

function matches({ on, labels }: VectorMatching, name: string): boolean {
  return name !== METRIC_NAME && labels.includes(name) === on
}

/** Tests that every series of a vector passes. */
function guaranteed(node: PlanNode): readonly Matcher[] {
  switch (node.kind) {
    case 'select':
      return node.matchers
    case 'rangeCall':
      return node.source.kind === 'window' && node.function.name !== 'absent_over_time' ? node.source.matchers : []
    case 'sign':
    case 'invariant':
      return guaranteed(node.child)
    case 'aggregation': {
      const matchers = guaranteed(node.child)
      if (CHOOSING.has(node.operator)) return matchers
      if (node.operator === 'count_values') return []
      return matchers.filter(({ name }) => node.grouping.includes(name) !== node.without)
    }
    case 'call':
      return FLOAT_FUNCTIONS.has(node.function.name) ? guaranteed(node.arguments[0]) : []
    case 'binary':
      if (node.leftScalar === node.rightScalar) return []
      return guaranteed(node.leftScalar ? node.right : node.left)
    default:
      return []
  }
}

/** They choose among series, so each depends on the others. */
const CHOOSING = new Set(['topk', 'bottomk', 'limitk', 'limit_ratio'])

/** The vector without the series that fail one of the tests, as far as that is the same as not having read them. */
function narrowed(node: PlanNode, matchers: readonly Matcher[]): PlanNode {
  if (matchers.length === 0) return node
  switch (node.kind) {
    case 'select':
      return { ...node, matchers: joined(node.matchers, matchers) }
    case 'rangeCall': {
      const { source } = node
      if (source.kind !== 'window' || node.function.name === 'absent_over_time') return node
      // What looks like no counter is told of, even if its series meet nothing.
      if (/^(rate|increase)$/.test(node.function.name) && !isCounter(source.matchers)) return node
      return { ...node, source: { ...source, matchers: joined(source.matchers, matchers) } }
    }
    case 'sign':
    case 'invariant':
      return { ...node, child: narrowed(node.child, matchers) }
    case 'aggregation': {
      if (CHOOSING.has(node.operator) || node.operator === 'count_values') return node
      const kept = matchers.filter(({ name }) => node.grouping.includes(name) !== node.without)
      return { ...node, child: narrowed(node.child, kept) }
    }
    case 'call': {
      if (!FLOAT_FUNCTIONS.has(node.function.name)) return node
      const [vector, ...others] = node.arguments
      return { ...node, arguments: [narrowed(vector, matchers), ...others] }
    }
    case 'binary':
      if (node.leftScalar === node.rightScalar) return node
      return node.leftScalar
        ? { ...node, right: narrowed(node.right, matchers) }
        : { ...node, left: narrowed(node.left, matchers) }
    default:
      return node
  }
}

function joined(own: readonly Matcher[], others: readonly Matcher[]): readonly Matcher[] {
  const isKnown = ({ name, operator, value }: Matcher) =>
    own.some((one) => one.name === name && one.operator === operator && one.value === value)
  return [...own, ...others.filter((other) => !isKnown(other))]
}

function isCounter(matchers: readonly Matcher[]): boolean {
  return matchers.some(
    ({ name, operator, value }) => name === METRIC_NAME && operator === '=' && /_(total|sum|count|bucket)$/.test(value),
  )
}

/** No two series of the vector agree in all labels that match. */
function hasNoTwins(node: PlanNode, matching: VectorMatching): boolean {
  switch (node.kind) {
    case 'select':
      return !matching.on && matching.labels.length === 0 && hasOneName(node.matchers)
    case 'rangeCall':
      return (
        node.source.kind === 'window' &&
        !matching.on &&
        matching.labels.length === 0 &&
        hasOneName(node.source.matchers)
      )
    case 'sign':
    case 'invariant':
      return hasNoTwins(node.child, matching)
    case 'aggregation': {
      const { operator, grouping, without } = node
      if (CHOOSING.has(operator)) return hasNoTwins(node.child, matching)
      if (operator === 'count_values') return false
      // The labels that tell its series apart must all match.
      if (without) return !matching.on && matching.labels.every((name) => grouping.includes(name))
      return grouping.every((name) => matches(matching, name))
    }
    case 'call':
      return FLOAT_FUNCTIONS.has(node.function.name) && hasNoTwins(node.arguments[0], matching)
    case 'binary':
      if (node.leftScalar === node.rightScalar) return false
      return hasNoTwins(node.leftScalar ? node.right : node.left, matching)
    default:
      return false
  }
}

function hasOneName(matchers: readonly Matcher[]): boolean {
  return matchers.some(({ name, operator, value }) => name === METRIC_NAME && operator === '=' && value !== '')
}
