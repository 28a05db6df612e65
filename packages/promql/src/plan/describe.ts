/** A plan node in a few words, for traces. */
import type { Matcher } from '@varve/tsdb-core/model'
import { METRIC_NAME } from '@varve/tsdb-core/model'
import type { PlanNode } from './plan.js'

export function describePlan(node: PlanNode): string {
  switch (node.kind) {
    case 'number':
      return String(node.value)
    case 'string':
      return JSON.stringify(node.value)
    case 'select':
      return selectorText(node.matchers)
    case 'window':
      return `${selectorText(node.matchers)}[${node.rangeMs}ms]`
    case 'subquery':
      return `subquery [${node.rangeMs}ms:${node.stepMs}ms]`
    case 'call':
      return node.function.name
    case 'rangeCall':
      return `${node.function.name}(${describePlan(node.source)})`
    case 'aggregation': {
      const clause = node.grouping.length === 0 && !node.without ? '' : node.without ? ' without ' : ' by '
      return clause === '' ? node.operator : `${node.operator}${clause}(${node.grouping.join(', ')})`
    }
    case 'binary':
      return `operator ${node.operator}`
    case 'sign':
      return node.negative ? 'operator -' : 'operator +'
    case 'invariant':
      return 'once for all steps'
  }
}

function selectorText(matchers: readonly Matcher[]): string {
  const name = matchers.find((matcher) => matcher.name === METRIC_NAME && matcher.operator === '=')
  const rest = matchers.filter((matcher) => matcher !== name)
  const tests = rest.map(({ name: label, operator, value }) => `${label}${operator}${JSON.stringify(value)}`)
  return `${name?.value ?? ''}${tests.length === 0 && name !== undefined ? '' : `{${tests.join(', ')}}`}`
}
