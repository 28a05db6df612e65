/**
 * `/federate`: the newest sample of each matching series, for another Prometheus to scrape: as text, or as protobuf where the
 * client asks for it, which has a form for native histograms too.
 *
 * Names that are UTF-8 come as the scraper can read them. A series without `instance` gets an empty one, so that the scraper's own does not take its place.
 */
import type { Clock } from '@varve/tsdb-core/env'
import { compareUtf8, type Histogram, halvesOf, isStaleAt, Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import { histogramPlace, type Queryable, type SeriesBatch } from '@varve/tsdb-core/query'
import { GET, type HttpRequest, type Route, textResponse } from '../server/http.js'
import { escapeNames, type NameEscaping, wantedEscaping } from './escape-name.js'
import { type FederatedSample, PROTOBUF_EXPOSITION, protobufExposition, wantsProtobuf } from './federate-protobuf.js'
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

const LINES_PER_PART = 1_000

export function federateRoute(options: FederateOptions): Route {
  return {
    methods: GET,
    path: '/federate',
    permission: 'read',
    handle: async (request) => {
      try {
        const selectors = new Parameters(request).getAll('match[]')
        const accept = request.header('accept')
        const escaping = wantedEscaping(accept)
        const newest = await newestSamples(options, request, selectors, escaping)
        const labels = exposedLabels(options.externalLabels())
        const pause = () => options.clock.yield()
        const asProtobuf = wantsProtobuf(accept)
        return {
          status: 200,
          headers: { 'Content-Type': asProtobuf ? PROTOBUF_EXPOSITION : 'text/plain; version=0.0.4; charset=utf-8' },
          body: asProtobuf ? protobufExposition(newest, labels, pause) : exposition(newest, labels, pause),
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
  escaping: NameEscaping,
): Promise<FederatedSample[]> {
  const nowMs = options.clock.wallMs()
  const found = new Map<string, FederatedSample>()
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
        if (last < batch.sampleOffsets[i]) continue
        const histogram = histogramAt(batch, last)
        if (histogram === undefined ? isStaleAt(halves, last) : histogram.stale) continue
        const column = batch.timestampColumns[i]
        const flat: string[] = []
        for (let p = batch.labelOffsets[i] * 2; p < batch.labelOffsets[i + 1] * 2; p++) {
          flat.push(result.symbols[batch.labelPairs[p]])
        }
        const labels = escapeNames(Labels.fromSorted(flat), escaping)
        const timestampMs = batch.timestampsMs[batch.timestampOffsets[column + 1] - 1]
        const sample = { labels, timestampMs, value: batch.values[last] }
        found.set(labels.key, histogram === undefined ? sample : { ...sample, histogram })
      }
    }
  }
  return [...found.values()].sort((a, b) => compareUtf8(a.labels.metricName, b.labels.metricName))
}

function histogramAt({ histograms }: SeriesBatch, sampleIndex: number): Histogram | undefined {
  if (histograms === undefined) return undefined
  const at = histogramPlace(histograms, sampleIndex)
  return histograms.sampleIndexes[at] === sampleIndex ? histograms.histograms[at] : undefined
}

/** The labels of a sample as others shall see them, without its name. */
function exposedLabels(externalLabels: Readonly<Record<string, string>>) {
  return ({ labels }: FederatedSample): (readonly [string, string])[] => {
    const pairs = [...labels].filter(([label]) => label !== METRIC_NAME)
    if (labels.get('instance') === '') pairs.push(['instance', ''])
    for (const [label, text] of Object.entries(externalLabels)) if (labels.get(label) === '') pairs.push([label, text])
    return pairs
  }
}

async function* exposition(
  all: readonly FederatedSample[],
  labelsOf: (sample: FederatedSample) => readonly (readonly [string, string])[],
  pause: () => Promise<void>,
): AsyncGenerator<string> {
  // A native histogram has no form in the text format.
  const samples = all.filter(({ histogram }) => histogram === undefined)
  let text = ''
  let previous: string | null = null
  for (let i = 0; i < samples.length; i++) {
    const { labels, timestampMs, value } = samples[i]
    const name = labels.metricName
    const plain = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)
    if (name !== previous) text += `# TYPE ${plain ? name : quoted(name)} untyped\n`
    previous = name
    const written = labelsOf(samples[i]).map(([label, text]) => `${labelName(label)}=${quoted(text)}`)
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
