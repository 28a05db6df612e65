/** The few calls of Prometheus' HTTP API that the tests make, of Varve and of Prometheus alike. */

export interface SeriesAnswer {
  readonly metric: Readonly<Record<string, string>>
  readonly value?: readonly [timestampSeconds: number, value: string]
  readonly values?: readonly (readonly [timestampSeconds: number, value: string])[]
}

export interface Answer {
  readonly status: string
  readonly data: { readonly resultType: string; readonly result: SeriesAnswer[] }
  readonly warnings?: readonly string[]
  readonly infos?: readonly string[]
}

/** The parsed answer of a GET; `T` is what the caller expects of it. */
export async function getJson<T = Answer>(url: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
  const query = new URLSearchParams(parameters).toString()
  const response = await fetch(query === '' ? url : `${url}?${query}`)
  const text = await response.text()
  if (response.status !== 200) throw new Error(`GET ${url}?${query} answered ${response.status}: ${text.slice(0, 500)}`)
  return JSON.parse(text) as T
}

export async function instantQuery(url: string, query: string, timeSeconds?: number): Promise<SeriesAnswer[]> {
  const time = timeSeconds === undefined ? {} : { time: String(timeSeconds) }
  return (await getJson(`${url}/api/v1/query`, { query, ...time })).data.result
}

export async function rangeQuery(
  url: string,
  query: string,
  range: { startSeconds: number; endSeconds: number; stepSeconds: number },
): Promise<SeriesAnswer[]> {
  const { startSeconds, endSeconds, stepSeconds } = range
  const parameters = { query, start: String(startSeconds), end: String(endSeconds), step: String(stepSeconds) }
  return (await getJson(`${url}/api/v1/query_range`, parameters)).data.result
}
