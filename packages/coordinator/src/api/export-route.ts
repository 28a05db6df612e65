/**
 * `/api/v1/export`: samples as lines of JSON, one series a line (a long one on several):
 *
 *     {"metric":{"__name__":"up","job":"node"},"values":[1,1,"NaN"],"timestamps":[1700000000000,…]}
 *
 * Numbers that JSON has not are texts: `+Inf`, `-Inf`, and the NaNs by their bits (`nan-text.ts`), so that `/api/v1/import`,
 * which takes the same lines, stores exactly what was there. Native histograms are left out, and counted in the trailer line `{"histogramsLeftOut":n}`.
 */

import type { Clock } from '@varve/tsdb-core/env'
import type { Queryable, SeriesBatch } from '@varve/tsdb-core/query'
import type { Route } from '../server/http.js'
import { readRoute } from './api-handler.js'
import { ApiError } from './envelope.js'
import { goNumber, labelsJson } from './go-json.js'
import { rangeOf } from './label-routes.js'
import { nanText } from './nan-text.js'
import { parseSelectors } from './selectors.js'

export interface ExportRouteOptions {
  readonly clock: Clock
  readonly queryable: (tenant: string) => Queryable
}

const SAMPLES_PER_LINE = 10_000
const PART_CHARACTERS = 64 << 10
/** A copy of a large store takes its time. */
const TIMEOUT_MS = 24 * 3_600_000

export function exportRoute(options: ExportRouteOptions): Route {
  return readRoute(
    '/api/v1/export',
    async (parameters, request) => {
      const selectors = parameters.getAll('match[]')
      if (selectors.length === 0) throw new ApiError('bad_data', 'no match[] parameter provided')
      const range = rangeOf(parameters)
      const namespace = parameters.get('namespace')
      const hints = {
        function: '',
        stepMs: 0,
        rangeMs: 0,
        evaluationStartMs: range.startMs,
        evaluationEndMs: range.endMs,
      }
      const all = parseSelectors(selectors).map((matchers) => ({
        matchers,
        ...range,
        signal: request.signal,
        hints: { ...hints, ...(namespace === '' ? { resolutionMsMax: 0 } : { namespace }) },
      }))
      const queryable = options.queryable(request.tenant)
      // The first is asked before the answer begins: what is wrong with the request shows here, while it can still be said.
      const first = await queryable.select(all[0])
      const lines = (async function* () {
        yield* linesOf(first)
        for (const one of all.slice(1)) yield* linesOf(await queryable.select(one))
      })()
      const body = parts(lines, () => options.clock.yield())
      return { status: 200, headers: { 'Content-Type': 'application/x-ndjson' }, body }
    },
    { timeoutMs: TIMEOUT_MS },
  )
}

async function* parts(lines: AsyncIterable<string>, pause: () => Promise<void>): AsyncGenerator<string> {
  let text = ''
  for await (const line of lines) {
    text += line
    if (text.length < PART_CHARACTERS) continue
    yield text
    text = ''
    await pause()
  }
  if (text !== '') yield text
}

export async function* linesOf(result: Awaited<ReturnType<Queryable['select']>>): AsyncGenerator<string> {
  let histogramCount = 0
  for await (const batch of result.batches) {
    const leftOut = new Set(batch.histograms?.sampleIndexes)
    histogramCount += leftOut.size
    const bits = new BigUint64Array(batch.values.buffer, batch.values.byteOffset, batch.values.length)
    for (let i = 0; i < batch.seriesCount; i++) {
      const metric = labelsJson(labelsOf(batch, result.symbols, i))
      const column = batch.timestampOffsets[batch.timestampColumns[i]]
      const from = batch.sampleOffsets[i]
      const end = batch.sampleOffsets[i + 1]
      for (let at = from; at < end; at += SAMPLES_PER_LINE) {
        const values: string[] = []
        const times: number[] = []
        for (let k = at; k < Math.min(end, at + SAMPLES_PER_LINE); k++) {
          if (leftOut.has(k)) continue
          values.push(valueJson(batch.values[k], bits[k]))
          times.push(batch.timestampsMs[column + k - from])
        }
        if (times.length > 0) yield `{"metric":${metric},"values":[${values}],"timestamps":[${times}]}\n`
      }
    }
  }
  if (histogramCount > 0) yield `{"histogramsLeftOut":${histogramCount}}\n`
}

function valueJson(value: number, bits: bigint): string {
  if (Number.isNaN(value)) return `"${nanText(bits)}"`
  return Number.isFinite(value) ? goNumber(value) : `"${goNumber(value)}"`
}

function* labelsOf(batch: SeriesBatch, symbols: readonly string[], index: number): Generator<[string, string]> {
  for (let p = batch.labelOffsets[index]; p < batch.labelOffsets[index + 1]; p++) {
    yield [symbols[batch.labelPairs[2 * p]], symbols[batch.labelPairs[2 * p + 1]]]
  }
}
