/** `/api/v1/metadata` and `/api/v1/query_exemplars`: what senders told besides samples. */
import { childrenOf, type Expression, PromqlError, parseExpression } from '@varve/promql'
import { type CompiledMatcher, compileMatcher, matchesAll } from '@varve/tsdb-core/query'
import type { ExemplarStore } from '../exemplars/exemplar-store.js'
import type { MetadataStore } from '../metadata/metadata-store.js'
import type { Route } from '../server/http.js'
import { getRoute, readRoute } from './api-handler.js'
import { ApiError, successResponse } from './envelope.js'
import { goNumber, goTimestamp, labelsJson } from './go-json.js'
import { type Parameters, parseWholeNumber, TIME_MS_MAX, TIME_MS_MIN } from './parameters.js'

export interface MetadataRoutesOptions {
  readonly metadata: (tenant: string) => MetadataStore
  readonly exemplars: (tenant: string) => ExemplarStore
}

export function metadataRoutes(options: MetadataRoutesOptions): Route[] {
  return [
    getRoute('/api/v1/metadata', async (parameters, request) =>
      successResponse(metadataJson(options.metadata(request.tenant), parameters)),
    ),
    readRoute('/api/v1/query_exemplars', async (parameters, request) => {
      const found = exemplarsJson(options.exemplars(request.tenant), parameters)
      return found === null ? { status: 204, headers: {}, body: '' } : successResponse(found)
    }),
  ]
}

function metadataJson(store: MetadataStore, parameters: Parameters): string {
  const limit = optionalNumber(parameters, 'limit')
  const perMetric = optionalNumber(parameters, 'limit_per_metric')
  const metric = parameters.get('metric')
  const entries = metric === '' ? store : [[metric, store.of(metric)] as const]
  const texts: string[] = []
  for (const [family, all] of entries) {
    if (limit >= 0 && texts.length >= limit) break
    const shown = perMetric > 0 ? all.slice(0, perMetric) : all
    if (shown.length === 0) continue
    const list = shown.map(({ type, help, unit }) => ({ type, help, unit }))
    texts.push(`${JSON.stringify(family)}:${JSON.stringify(list)}`)
  }
  return `{${texts.join(',')}}`
}

/** -1: no limit. */
function optionalNumber(parameters: Parameters, name: string): number {
  const text = parameters.get(name)
  if (text === '') return -1
  const number = parseWholeNumber(text)
  if (number === null) throw new ApiError('bad_data', `${name} must be a number`)
  return number
}

/** Null for a query without any selector. */
function exemplarsJson(store: ExemplarStore, parameters: Parameters): string | null {
  const startMs = parameters.timeMsOr('start', TIME_MS_MIN)
  const endMs = parameters.timeMsOr('end', TIME_MS_MAX)
  if (endMs < startMs) throw new ApiError('bad_data', 'end timestamp must not be before start timestamp')
  const selectors = selectorsOf(parameters.get('query'))
  if (selectors.length === 0) return null
  const found = store.select({
    matches: (labels) => selectors.some((matchers) => matchesAll(matchers, (name) => labels.get(name))),
    startMs,
    endMs,
  })
  // `seriesLabels` stands first: Grafana reads the stream in that order.
  const series = found.map(({ labels, exemplars }) => {
    const list = exemplars.map(
      (exemplar) =>
        `{"labels":${labelsJson(exemplar.labels)},"value":"${goNumber(exemplar.value)}","timestamp":${goTimestamp(exemplar.timestampMs)}}`,
    )
    return `{"seriesLabels":${labelsJson(labels)},"exemplars":[${list.join(',')}]}`
  })
  return `[${series.join(',')}]`
}

/** Matchers of every selector in the query. */
function selectorsOf(query: string): CompiledMatcher[][] {
  try {
    const selectors: CompiledMatcher[][] = []
    const visit = (expression: Expression) => {
      if (expression.type === 'vectorSelector') selectors.push(expression.matchers.map(compileMatcher))
      else childrenOf(expression).forEach(visit)
    }
    visit(parseExpression(query))
    return selectors
  } catch (error) {
    if (error instanceof PromqlError) throw new ApiError('bad_data', error.message)
    throw error
  }
}
