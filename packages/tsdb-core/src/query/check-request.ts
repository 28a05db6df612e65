/** Requests to a store, as a program without types may write them. Once a request, never for a series. */
import { StorageError } from '../errors.js'
import { describeValue } from '../option-names.js'
import type { LabelRequest, Matchers } from './queryable.js'

const OPERATORS = ['=', '!=', '=~', '!~']

/** @throws {StorageError} `INVALID_ARGUMENT` naming what came and what was wanted. */
export function checkSelection(request: { matchers: Matchers; startMs: number; endMs: number }): void {
  if (typeof request !== 'object' || request === null) {
    throw invalid(`got ${describeValue(request)}, wanted { matchers, startMs, endMs }`)
  }
  const { matchers, startMs, endMs } = request
  if (!isTime(startMs) || !isTime(endMs)) {
    throw invalid(
      `range [${describeValue(startMs)}, ${describeValue(endMs)}): wanted startMs and endMs, milliseconds since 1970`,
    )
  }
  if (!Array.isArray(matchers)) {
    throw invalid(`matchers is ${describeValue(matchers)}, wanted an array of { name, operator, value }`)
  }
  matchers.forEach((matcher, i) => {
    const { name, operator, value } = matcher ?? {}
    if (typeof name === 'string' && typeof value === 'string' && OPERATORS.includes(operator)) return
    const came = `name ${describeValue(name)}, operator ${describeValue(operator)}, value ${describeValue(value)}`
    throw invalid(`matcher ${i}: ${came}; wanted two strings and an operator of ${OPERATORS.join(' ')}`)
  })
}

/**
 * Fills in what was left out: no matchers (all series), the whole range of time.
 *
 * @throws {StorageError} `INVALID_ARGUMENT` naming what came and what was wanted.
 */
export function completeLabelRequest(request: Partial<LabelRequest>): LabelRequest {
  if (typeof request !== 'object' || request === null) {
    throw invalid(`got ${describeValue(request)}, wanted an object with some of matchers, startMs, endMs, limit`)
  }
  const { matchers = [], startMs = Number.MIN_SAFE_INTEGER, endMs = Number.MAX_SAFE_INTEGER } = request
  const complete = { ...request, matchers, startMs, endMs }
  checkSelection(complete)
  return complete
}

function isTime(time: number): boolean {
  return typeof time === 'number' && !Number.isNaN(time)
}

function invalid(message: string): StorageError {
  return new StorageError('INVALID_ARGUMENT', message)
}
