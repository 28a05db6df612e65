/** Prometheus' own verdicts, trees and messages for some hundred queries. They are not part of the project. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PromqlError } from '../errors.js'
import { expressionToJson, type JsonNode } from '../printer/json.js'
import { parseExpression } from './parser.js'
import { resolveDurations } from './resolve-durations.js'

interface Case {
  readonly query: string
  readonly ok: boolean
  readonly ast?: unknown
  readonly status?: number
  readonly errorType?: string
  readonly error?: string
  readonly queryError?: { readonly error: string }
}

const folder = process.env.VARVE_PROMQL_CASES
const PREFIX = 'invalid parameter "query": '

describe.skipIf(!folder)(`parse cases${folder ? '' : ' (skipped: VARVE_PROMQL_CASES is not set)'}`, () => {
  const cases: Case[] = folder ? JSON.parse(readFileSync(join(folder, 'parse-cases.json'), 'utf8')).cases : []

  test.each(cases.map((one) => [JSON.stringify(one.query), one] as const))(
    '%s',
    (_, { query, ok, ast, error, queryError }) => {
      if (!ok) {
        expect(messageOf(() => parseExpression(query))).toBe(error?.replace(PREFIX, ''))
        return
      }
      const expression = parseExpression(query)
      if (ast) expect(withNamesOfFunctions(expressionToJson(expression))).toEqual(ast)
      const resolve = () => resolveDurations(expression, { startMs: 0, endMs: 0, stepMs: 0 })
      if (queryError?.error.startsWith(PREFIX)) expect(messageOf(resolve)).toBe(queryError.error.replace(PREFIX, ''))
      else resolve()
    },
  )
})

function messageOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(PromqlError)
    expect((error as PromqlError).code).toBe('bad_data')
    return (error as PromqlError).message
  }
  return 'accepted'
}

/** The cases keep a function's name alone. */
function withNamesOfFunctions(node: JsonNode): unknown {
  return JSON.parse(JSON.stringify(node), (key, value) => (key === 'func' ? value.name : value))
}
