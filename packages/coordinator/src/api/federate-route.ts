/**
 * `/federate`: the newest sample of each matching series, as text for another Prometheus to scrape.
 *
 * A series without `instance` gets an empty one, so that the scraper's own does not take its place.
 */
import type { Clock } from '@varve/tsdb-core/env'
import { compareUtf8, halvesOf, isStaleAt, Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'
import { GET, type HttpRequest, type Route, textResponse } from '../server/http.js'
import { goNumber } from './go-json.js'
import { Parameters } from './parameters.js'
import { responseForError } from './query-errors.js'
import { parseSelectors } from './selectors.js'

export interface FederateOptions {
  readonly clock: Clock
  readonly queryable: (tenant: string) => Queryable
  readonly lookbackMs: () => number
  readonly externalLabels: () => Readonly<Record<string, string>>
}

interface Newest {
  readonly labels: Labels
  readonly timestampMs: number
  readonly value: number
}

const LINES_PER_PART = 1_000

export function federateRoute(options: FederateOptions): Route {
  return {
    methods: GET,
    path: '/federate',
    permission: 'read',
    handle: async (request) => {
      try {
        const selectors = new Parameters(request).getAll('match[]')
        const newest = await newestSamples(options, request, selectors)
        return {
          status: 200,
          headers: { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' },
          body: exposition(newest, options.externalLabels(), () => options.clock.yield()),
        }
      } catch (error) {
        const answer = responseForError(error)
        if (answer === null) throw error
        return textResponse(answer.status, (error as Error).message)
      }
    },
  }
}

async function newestSamples(
  options: FederateOptions,
  request: HttpRequest,
  selectors: readonly string[],
): Promise<Newest[]> {
  const nowMs = options.clock.wallMs()
  const found = new Map<string, Newest>()
  for (const matchers of parseSelectors(selectors)) {
    const result = await options.queryable(request.tenant).select({
      matchers,
      startMs: nowMs - options.lookbackMs() + 1,
      endMs: nowMs + 1,
      signal: request.signal,
    })
    for await (const batch of result.batches) {
      const halves = halvesOf(batch.values)
      for (let i = 0; i < batch.seriesCount; i++) {
        const last = batch.sampleOffsets[i + 1] - 1
        if (last < batch.sampleOffsets[i] || isStaleAt(halves, last)) continue
        // A native histogram has no form in the text format.
        if (batch.histograms?.sampleIndexes.includes(last)) continue
        const column = batch.timestampColumns[i]
        const flat: string[] = []
        for (let p = batch.labelOffsets[i] * 2; p < batch.labelOffsets[i + 1] * 2; p++) {
          flat.push(result.symbols[batch.labelPairs[p]])
        }
        const labels = Labels.fromSorted(flat)
        const timestampMs = batch.timestampsMs[batch.timestampOffsets[column + 1] - 1]
        found.set(labels.key, { labels, timestampMs, value: batch.values[last] })
      }
    }
  }
  return [...found.values()].sort((a, b) => compareUtf8(a.labels.metricName, b.labels.metricName))
}

async function* exposition(
  samples: readonly Newest[],
  externalLabels: Readonly<Record<string, string>>,
  pause: () => Promise<void>,
): AsyncGenerator<string> {
  let text = ''
  let previous: string | null = null
  for (let i = 0; i < samples.length; i++) {
    const { labels, timestampMs, value } = samples[i]
    const name = labels.metricName
    const plain = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)
    if (name !== previous) text += `# TYPE ${plain ? name : quoted(name)} untyped\n`
    previous = name
    const pairs = [...labels].filter(([label]) => label !== METRIC_NAME)
    if (labels.get('instance') === '') pairs.push(['instance', ''])
    for (const [label, text] of Object.entries(externalLabels)) if (labels.get(label) === '') pairs.push([label, text])
    const written = pairs.map(([label, text]) => `${labelName(label)}=${quoted(text)}`)
    const inside = (plain ? written : [quoted(name), ...written]).join(',')
    text += `${plain ? name : ''}{${inside}} ${goNumber(value)} ${timestampMs}\n`
    if (i % LINES_PER_PART === LINES_PER_PART - 1) {
      yield text
      text = ''
      await pause()
    }
  }
  yield text
}

function labelName(name: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quoted(name)
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
