/** The selector of a rule: a PromQL vector selector without time shifts. */
import { PromqlError, parseSelector } from '@varve/promql'
import type { Matcher } from '@varve/tsdb-core/model'
import { compileMatcher } from '@varve/tsdb-core/query'
import { AggregatorError } from '../errors.js'

/**
 * The selector's matchers.
 *
 * @throws {AggregatorError} `INVALID_RULE` with what is wrong and where in the selector it stands.
 */
export function parseSelectorText(text: string): readonly Matcher[] {
  try {
    const matchers = parseSelector(text)
    for (const matcher of matchers) compileMatcher(matcher)
    return matchers
  } catch (cause) {
    const place =
      cause instanceof PromqlError && cause.position ? `, at byte ${cause.position.start} of the selector` : ''
    throw new AggregatorError('INVALID_RULE', `${(cause as Error).message}${place}`, { cause })
  }
}
