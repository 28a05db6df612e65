/**
 * `/api/v1/export`: samples as lines of JSON, one series a line (a long one on several):
 *
 *     {"metric":{"__name__":"up","job":"node"},"values":[1,1,"NaN"],"timestamps":[1700000000000,…]}
 *
 * Numbers that JSON has not are texts: `+Inf`, `-Inf`, and the NaNs by their bits (`nan-text.ts`), so that `/api/v1/import`,
 * which takes the same lines, stores exactly what was there. Native histograms stand in lines of their own, with `histograms`
 * (`ingest/formats/histogram-json.ts`) in the place of `values`; the lines of a series are in the order of time.
 */
import type { Clock } from '@varve/tsdb-core/env'
import type { Queryable, SelectResult, SeriesBatch } from '@varve/tsdb-core/query'
import { histogramJson } from '../ingest/formats/histogram-json.js'
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
/** A line ends once it is as long as this: one histogram may have thousands of buckets. */
const LINE_CHARACTERS = 256 << 10
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
      const rest = all.slice(1).map((one) => () => queryable.select(one))
      const body = exported(first, rest, () => options.clock.yield())
      return { status: 200, headers: { 'Content-Type': 'application/x-ndjson' }, body }
    },
    { timeoutMs: TIMEOUT_MS },
  )
}

/** Lets go of what `first` holds also when it is ended before it was begun: a generator's `finally` does not run then. */
function exported(
  first: SelectResult,
  rest: readonly (() => Promise<SelectResult>)[],
  pause: () => Promise<void>,
): AsyncIterable<string> {
  const lines = (async function* () {
    yield* linesOf(first)
    for (const select of rest) yield* linesOf(await select())
  })()
  const texts = parts(lines, pause)
  let begun = false
  const iterator: AsyncIterator<string> = {
    next() {
      begun = true
      return texts.next()
    },
    async return() {
      if (!begun) await first.batches[Symbol.asyncIterator]().return?.()
      begun = true
      return texts.return(undefined)
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
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

export async function* linesOf(result: SelectResult): AsyncGenerator<string> {
  for await (const batch of result.batches) {
    const { histograms } = batch
    const bits = new BigUint64Array(batch.values.buffer, batch.values.byteOffset, batch.values.length)
    let next = 0
    for (let i = 0; i < batch.seriesCount; i++) {
      const metric = labelsJson(labelsOf(batch, result.symbols, i))
      const column = batch.timestampOffsets[batch.timestampColumns[i]]
      const from = batch.sampleOffsets[i]
      const end = batch.sampleOffsets[i + 1]
      for (let at = from; at < end; ) {
        const key = histograms?.sampleIndexes[next] === at ? 'histograms' : 'values'
        const items: string[] = []
        const times: number[] = []
        let characters = 0
        for (; at < end && items.length < SAMPLES_PER_LINE && characters < LINE_CHARACTERS; at++) {
          const isHistogram = histograms?.sampleIndexes[next] === at
          if (isHistogram !== (key === 'histograms')) break
          const histogram = isHistogram ? histograms?.histograms[next++] : undefined
          const item = histogram === undefined ? valueJson(batch.values[at], bits[at]) : histogramJson(histogram)
          items.push(item)
          characters += item.length
          times.push(batch.timestampsMs[column + at - from])
        }
        yield `{"metric":${metric},"${key}":[${items}],"timestamps":[${times}]}\n`
      }
    }
  }
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
