/** The selector of a rule: a PromQL vector selector without time shifts. */
import { parseSelector } from '@varve/promql'
import type { Matcher } from '@varve/tsdb-core/model'
import { compileMatcher } from '@varve/tsdb-core/query'
import { AggregatorError, messageOf } from '../errors.js'

/**
 * The selector's matchers.
 *
 * @throws {AggregatorError} `INVALID_RULE` with what is wrong and where in the selector it stands, in Prometheus' words.
 */
export function parseSelectorText(text: string): readonly Matcher[] {
  try {
    const matchers = parseSelector(text)
    for (const matcher of matchers) compileMatcher(matcher)
    return matchers
  } catch (cause) {
    throw new AggregatorError('INVALID_RULE', messageOf(cause), { cause })
  }
}
