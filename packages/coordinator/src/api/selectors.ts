/** `match[]`: series selectors of a request. */
import { PromqlError, parseSelector } from '@varve/promql'
import type { Matchers } from '@varve/tsdb-core/query'
import { invalidParameter } from './envelope.js'

/** @throws {ApiError} `bad_data` in Prometheus' words. */
export function parseSelectors(texts: readonly string[]): Matchers[] {
  return texts.map((text) => {
    try {
      return parseSelector(text)
    } catch (error) {
      if (!(error instanceof PromqlError)) throw error
      // Prometheus checks this one outside of its parser, in other words.
      const empty = error.message.endsWith('must contain at least one non-empty matcher')
      throw invalidParameter('match[]', empty ? 'match[] must contain at least one non-empty matcher' : error.message)
    }
  })
}
