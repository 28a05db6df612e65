/** `/api/v1/series`, `/labels`, `/label/<name>/values`: what is there, without samples. */
import { compareUtf8, type Labels, sortLabels } from '@varve/tsdb-core/model'
import type { LabelRequest, LabelResult, Queryable } from '@varve/tsdb-core/query'
import type { HttpRequest, HttpResponse, Route } from '../server/http.js'
import { getRoute, readRoute } from './api-handler.js'
import { ApiError, JSON_HEADERS, noticesJson, successResponse } from './envelope.js'
import { labelsJson } from './go-json.js'
import { type Parameters, TIME_MS_MAX, TIME_MS_MIN } from './parameters.js'
import type { QueryGate } from './query-gate.js'
import { parseSelectors } from './selectors.js'
import { shortBody } from './short-body.js'
import { unescapeLabelName } from './unescape-name.js'

export interface LabelRoutesOptions {
  readonly queryable: (tenant: string) => Queryable
  /** Lets the event loop turn between parts of a long answer. */
  readonly pause: () => Promise<void>
  /** Of requests for series, whose labels are all in memory until the answer is written. Default: they do not wait. */
  readonly gate?: Pick<QueryGate, 'run'>
}

const LIMIT_WARNING = 'results truncated due to limit'
/** Some 500 series. */
const PART_CHARACTERS = 128 << 10
/** Of several selectors, compared with each other. */
const SERIES_PER_TURN = 500

export function labelRoutes(options: LabelRoutesOptions): Route[] {
  return [
    readRoute('/api/v1/series', (parameters, request) => {
      const work = () => series(options, parameters, request)
      return options.gate === undefined ? work() : options.gate.run(request.signal, work)
    }),
    readRoute('/api/v1/labels', (parameters, request) =>
      names(parameters, request, (labelRequest) => options.queryable(request.tenant).labelNames(labelRequest)),
    ),
    getRoute('/api/v1/label/:name/values', async (parameters, request) => {
      const name = unescapeLabelName(request.pathParameters.get('name') ?? '')
      if (name === '') {
        throw new ApiError('bad_data', `invalid label name: ${JSON.stringify(name)}`)
      }
      return names(parameters, request, (labelRequest) =>
        options.queryable(request.tenant).labelValues(name, labelRequest),
      )
    }),
  ]
}

async function series(
  options: LabelRoutesOptions,
  parameters: Parameters,
  request: HttpRequest,
): Promise<HttpResponse> {
  const selectors = parameters.getAll('match[]')
  if (selectors.length === 0) throw new ApiError('bad_data', 'no match[] parameter provided')
  const limit = parameters.limit()
  const range = rangeOf(parameters)
  const warnings = new Set<string>()
  const found: (readonly Labels[])[] = []
  for (const [i, selector] of selectors.entries()) {
    if (i > 0) await options.pause()
    const [matchers] = parseSelectors([selector])
    if (range.startMs >= range.endMs) continue
    const result = await options.queryable(request.tenant).series({
      matchers,
      ...range,
      signal: request.signal,
      ...(limit > 0 ? { limit: limit + 1 } : {}),
    })
    found.push(result.series)
    for (const warning of result.warnings) warnings.add(warning)
  }
  let all = found.length === 1 ? found[0] : await distinctLabels(found.flat(), options.pause)
  if (limit > 0) forgetCuts(warnings, limit)
  if (limit > 0 && all.length > limit) {
    all = all.slice(0, limit)
    warnings.add(LIMIT_WARNING)
  }
  return {
    status: 200,
    headers: JSON_HEADERS,
    body: await shortBody(seriesJson(all, [...warnings], options.pause), PART_CHARACTERS),
  }
}

async function* seriesJson(
  all: readonly Labels[],
  warnings: readonly string[],
  pause: () => Promise<void>,
): AsyncGenerator<string> {
  let text = '{"status":"success","data":['
  for (let i = 0; i < all.length; i++) {
    text += `${i === 0 ? '' : ','}${labelsJson(all[i])}`
    if (text.length >= PART_CHARACTERS) {
      yield text
      text = ''
      await pause()
    }
  }
  yield `${text}]${noticesJson({ warnings })}}`
}

async function names(
  parameters: Parameters,
  request: HttpRequest,
  ask: (labelRequest: LabelRequest) => Promise<LabelResult>,
): Promise<HttpResponse> {
  const limit = parameters.limit()
  const range = rangeOf(parameters)
  const selectors = parseSelectors(parameters.getAll('match[]'), { named: false })
  const warnings = new Set<string>()
  const found = new Set<string>()
  for (const matchers of selectors.length === 0 ? [[]] : selectors) {
    if (range.startMs >= range.endMs) continue
    const result = await ask({ matchers, ...range, signal: request.signal, ...(limit > 0 ? { limit: limit + 1 } : {}) })
    for (const value of result.values) found.add(value)
    for (const warning of result.warnings) warnings.add(warning)
  }
  if (limit > 0) forgetCuts(warnings, limit)
  let all = [...found]
  if (selectors.length > 1) all.sort(compareUtf8)
  if (limit > 0 && all.length > limit) {
    all = all.slice(0, limit)
    warnings.add(LIMIT_WARNING)
  }
  return successResponse(JSON.stringify(all), { warnings: [...warnings] })
}

/** Stores were asked for one more than the client wants, so that only a real cut is told, and told once. */
function forgetCuts(warnings: Set<string>, limit: number): void {
  warnings.delete(LIMIT_WARNING)
  for (const kind of ['series', 'values']) warnings.delete(`more than ${limit + 1} ${kind}: the answer is cut off`)
}

/** Inclusive at both ends for the client, half-open for the store. */
export function rangeOf(parameters: Parameters): { startMs: number; endMs: number } {
  const startMs = parameters.timeMsOr('start', TIME_MS_MIN)
  const endMs = parameters.timeMsOr('end', TIME_MS_MAX)
  return { startMs, endMs: endMs + 1 }
}

async function distinctLabels(all: readonly Labels[], pause: () => Promise<void>): Promise<Labels[]> {
  const sorted = await sortLabels(all, pause)
  const distinct: Labels[] = []
  for (const [i, labels] of sorted.entries()) {
    if (i % SERIES_PER_TURN === SERIES_PER_TURN - 1) await pause()
    if (i === 0 || !labels.equals(sorted[i - 1])) distinct.push(labels)
  }
  return distinct
}
