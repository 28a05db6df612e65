/** `match[]`: series selectors of a request. */
import { PromqlError, parseSelector } from '@varve/promql'
import type { Matchers } from '@varve/tsdb-core/query'
import { ApiError, invalidParameter } from './envelope.js'

/**
 * @throws {ApiError} `bad_data` in Prometheus' words: `/series` names the parameter (`named`), the calls for labels do not.
 */
export function parseSelectors(texts: readonly string[], { named = true } = {}): Matchers[] {
  return texts.map((selector) => {
    try {
      return parseSelector(selector)
    } catch (error) {
      if (!(error instanceof PromqlError)) throw error
      // Prometheus checks this one outside of its parser, in other words.
      const empty = error.message.endsWith('must contain at least one non-empty matcher')
      const text = empty ? 'match[] must contain at least one non-empty matcher' : error.message
      throw named ? invalidParameter('match[]', text) : new ApiError('bad_data', text)
    }
  })
}
