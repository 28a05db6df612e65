/** Every request that Grafana's Prometheus data source makes, answered in the form that its parser needs. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCoordinator, type TestCoordinator, writeSeries } from '../testing/start-coordinator.js'

let server: TestCoordinator
const START_MS = 1_700_000_000_000

beforeAll(async () => {
  server = await startCoordinator({ yaml: 'self_scrape: off' })
  const samples = Array.from({ length: 41 }, (_, i) => [START_MS + i * 15_000, i * 3] as const)
  const status = await writeSeries(server.url, [
    { labels: { __name__: 'http_requests_total', job: 'api', code: '200' }, samples },
    { labels: { __name__: 'http_requests_total', job: 'api', code: '500' }, samples },
    { labels: { __name__: 'up', job: 'api', 'odd.label': 'ö' }, samples: samples.map(([t]) => [t, 1] as const) },
  ])
  expect(status).toBe(204)
})
afterAll(() => server.stop())

async function get(path: string, parameters: Record<string, string> | [string, string][] = {}) {
  const response = await fetch(`${server.url}${path}?${new URLSearchParams(parameters)}`)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

async function post(path: string, parameters: Record<string, string>) {
  const response = await fetch(`${server.url}${path}`, { method: 'POST', body: new URLSearchParams(parameters) })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

const data = ({ text }: { text: string }) => JSON.parse(text).data

describe('save and test', () => {
  test('the probe 1+1 at time 4, as a form', async () => {
    const answer = await post('/api/v1/query', { query: '1+1', time: '4' })
    expect(answer.status).toBe(200)
    expect(answer.text).toBe('{"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}')
    expect(answer.headers.get('content-type')).toBe('application/json')
  })

  test('buildinfo has texts only, a version of Prometheus and no features', async () => {
    const info = data(await get('/api/v1/status/buildinfo'))
    expect(Object.values(info).every((value) => typeof value === 'string')).toBe(true)
    expect(info).not.toHaveProperty('features')
    expect(info.version).toMatch(/^3\.\d+\.\d+$/)
    expect(info.implementation).toContain('Varve')
  })

  test('rules are an empty list, the probe for a ruler is a plain 404', async () => {
    expect(data(await get('/api/v1/rules'))).toEqual({ groups: [] })
    expect(data(await get('/api/v1/alerts'))).toEqual({ alerts: [] })
    const probe = await get('/api/v1/rules/test/test')
    expect([probe.status, probe.text]).toEqual([404, '404 page not found\n'])
  })

  test('the exemplar probe sends milliseconds for seconds and gets an empty list', async () => {
    const answer = await post('/api/v1/query_exemplars', {
      query: 'test',
      start: '1700000000000',
      end: '1700003600000',
    })
    expect([answer.status, answer.text]).toEqual([200, '{"status":"success","data":[]}'])
  })
})

describe('the metric browser', () => {
  const range = { start: '1699999000', end: '1700001000', limit: '40000' }

  test('names, labels, values, series', async () => {
    expect(data(await get('/api/v1/label/__name__/values', range))).toEqual(['http_requests_total', 'up'])
    expect(data(await post('/api/v1/labels', range))).toEqual(['__name__', 'code', 'job', 'odd.label'])
    expect(data(await get('/api/v1/label/U__odd_2e_label/values', range))).toEqual(['ö'])
    expect(data(await get('/api/v1/label/nothing/values', range))).toEqual([])
    const series = data(await get('/api/v1/series', { ...range, 'match[]': '{__name__!=""}' }))
    expect(series).toHaveLength(3)
    expect(series[0]).toEqual({ __name__: 'http_requests_total', code: '200', job: 'api' })
  })

  test('a limit cuts with a warning, and not without need', async () => {
    const cut = JSON.parse((await get('/api/v1/label/code/values', { limit: '1' })).text)
    expect(cut).toEqual({ status: 'success', data: ['200'], warnings: ['results truncated due to limit'] })
    expect(JSON.parse((await get('/api/v1/label/code/values', { limit: '2' })).text)).not.toHaveProperty('warnings')
    const series = JSON.parse((await get('/api/v1/series', { 'match[]': '{job="api"}', limit: '2' })).text)
    expect(series.data).toHaveLength(2)
    expect(series.warnings).toEqual(['results truncated due to limit'])
  })

  test('a range that runs backwards holds nothing', async () => {
    const backwards = { start: range.end, end: range.start, 'match[]': 'up' }
    for (const path of ['series', 'labels', 'label/job/values']) {
      expect([path, (await get(`/api/v1/${path}`, backwards)).text]).toEqual([path, '{"status":"success","data":[]}'])
    }
  })

  test('a selector that does not parse is named by series alone', async () => {
    const error = async (path: string) => JSON.parse((await get(`/api/v1/${path}`, { 'match[]': '{}' })).text).error
    const text = 'match[] must contain at least one non-empty matcher'
    expect(await error('series')).toBe(`invalid parameter "match[]": ${text}`)
    expect(await error('labels')).toBe(text)
    expect(await error('label/job/values')).toBe(text)
  })

  test('exemplars of a query without a selector are no content', async () => {
    const answer = await get('/api/v1/query_exemplars', { query: '1 + 1', start: range.start, end: range.end })
    expect([answer.status, answer.text]).toEqual([204, ''])
  })

  test('metadata is an object', async () => {
    expect((await get('/api/v1/metadata', { limit: '5' })).text).toBe('{"status":"success","data":{}}')
  })

  test('several selectors are a union', async () => {
    const series = data(
      await get('/api/v1/series', [
        ['match[]', 'up'],
        ['match[]', '{code="500"}'],
        ['match[]', '{code=~"5.."}'],
      ]),
    )
    expect(series).toHaveLength(2)
  })
})

test('what is GET only says so to a POST, and then answers the GET that Grafana sends', async () => {
  for (const path of ['label/__name__/values', 'metadata', 'rules', 'alerts', 'targets', 'status/buildinfo']) {
    const refused = await post(`/api/v1/${path}`, { limit: '5' })
    expect([path, refused.status, refused.headers.get('allow')]).toEqual([path, 405, 'GET, HEAD'])
    expect((await get(`/api/v1/${path}`, { limit: '5' })).status).toBe(200)
  }
})

test('its other lists are lists, and a browser finds a page with links', async () => {
  expect(data(await get('/api/v1/targets', { state: 'active' }))).toMatchObject({ activeTargets: [] })
  expect(data(await get('/api/v1/alertmanagers'))).toEqual({ activeAlertmanagers: [], droppedAlertmanagers: [] })
  expect(data(await get('/api/v1/notifications'))).toEqual([])
  expect(data(await get('/api/v1/status/flags'))).toMatchObject({ 'storage.tsdb.retention.time': expect.any(String) })
  expect(data(await get('/api/v1/status/config')).yaml).toContain('storage:')
  const info = data(await get('/api/v1/status/runtimeinfo'))
  expect(Math.abs(Date.parse(info.serverTime) - Date.now())).toBeLessThan(60_000)
  expect(info.CWD).not.toBe('')
  const status = data(await get('/api/v1/status/tsdb'))
  expect(status.headStats.numLabelPairs).toBe(6)
  // Values that a label has, and not series.
  expect(status.labelValueCountByLabelName).toContainEqual({ name: 'code', value: 2 })
  expect(status.memoryInBytesByLabelName).toContainEqual({ name: 'code', value: 6 })
  const page = await get('/')
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  for (const [, path] of page.text.matchAll(/href="([^"]+)"/g)) {
    const linked = await get(...([path.split('?')[0], { query: '1' }] as const))
    expect([path, linked.status]).toEqual([path, 200])
  }
})

test('exemplars in panels: labels of the series first, values as texts', async () => {
  const body =
    '# TYPE traced_total counter\ntraced_total{job="api"} 7 1700000000 # {trace_id="t1"} 0.5 1700000000\n# EOF\n'
  const pushed = await fetch(`${server.url}/api/v1/import/prometheus`, {
    method: 'POST',
    headers: { 'content-type': 'application/openmetrics-text' },
    body,
  })
  expect(pushed.status).toBe(204)
  const range = { start: '1699999000', end: '1700001000' }
  const { text } = await post('/api/v1/query_exemplars', { query: 'rate(traced_total[5m])', ...range })
  expect(text).toBe(
    '{"status":"success","data":[{"seriesLabels":{"__name__":"traced_total","job":"api"},' +
      '"exemplars":[{"labels":{"trace_id":"t1"},"value":"0.5","timestamp":1700000000}]}]}',
  )
})

describe('panels', () => {
  test('a range query, result type first', async () => {
    const answer = await post('/api/v1/query_range', {
      query: 'sum by (code) (count_over_time(http_requests_total[1m]))',
      ...{ start: '1700000300', end: '1700000360', step: '15' },
    })
    expect(answer.text.startsWith('{"status":"success","data":{"resultType":"matrix","result":[')).toBe(true)
    const { result } = data(answer)
    expect(result).toHaveLength(2)
    expect(result[0]).toEqual({
      metric: { code: '200' },
      values: [300, 315, 330, 345, 360].map((s) => [1_700_000_000 + s, '4']),
    })
  })

  test('an instant query and a range vector of raw samples', async () => {
    expect(data(await post('/api/v1/query', { query: 'up', time: '1700000001.5' })).result).toEqual([
      { metric: { __name__: 'up', job: 'api', 'odd.label': 'ö' }, value: [1_700_000_001.5, '1'] },
    ])
    const raw = data(await get('/api/v1/query', { query: 'http_requests_total{code="500"}[30s]', time: '1700000045' }))
    expect(raw).toMatchObject({
      resultType: 'matrix',
      result: [
        {
          values: [
            [1_700_000_030, '6'],
            [1_700_000_045, '9'],
          ],
        },
      ],
    })
  })

  test('limit, stats and lookback', async () => {
    const limited = JSON.parse(
      (await get('/api/v1/query', { query: '{job="api"}', time: '1700000000', limit: '1' })).text,
    )
    expect(limited.data.result).toHaveLength(1)
    expect(limited.warnings).toEqual(['results truncated due to limit'])
    const stats = data(await get('/api/v1/query', { query: 'up', time: '1700000000', stats: 'true' })).stats
    expect(stats.timings).toHaveProperty('evalTotalTime')
    expect(stats.samples.totalQueryableSamples).toBeGreaterThan(0)
    const parameters = { query: 'up', time: '1700000700' }
    expect(data(await get('/api/v1/query', parameters)).result).toHaveLength(1)
    expect(data(await get('/api/v1/query', { ...parameters, lookback_delta: '1m' })).result).toHaveLength(0)
  })

  test('a large answer is gzipped when asked for', async () => {
    const parameters = { query: 'http_requests_total[10m]', time: '1700000600' }
    const answer = await get('/api/v1/query', parameters)
    expect(answer.headers.get('content-encoding')).toBe('gzip')
  })
})

describe('mistakes get the words of Prometheus', () => {
  test.each([
    [
      '/api/v1/query',
      { query: 'up', time: 'x' },
      'invalid parameter "time": invalid time value for \'time\': cannot parse "x" to a valid timestamp',
    ],
    ['/api/v1/query_range', { query: 'up' }, 'invalid parameter "start": cannot parse "" to a valid timestamp'],
    [
      '/api/v1/query_range',
      { query: 'up', start: '2', end: '1', step: '1' },
      'invalid parameter "end": end timestamp must not be before start time',
    ],
    [
      '/api/v1/query_range',
      { query: 'up', start: '1', end: '2', step: '0' },
      'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    ],
    [
      '/api/v1/query_range',
      { query: 'up', start: '0', end: '11001', step: '1' },
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    ],
    [
      '/api/v1/query_range',
      { query: 'up[5m]', start: '0', end: '1', step: '1' },
      'invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    ],
    [
      '/api/v1/query',
      { query: 'up', timeout: 'x' },
      'invalid parameter "timeout": cannot parse "x" to a valid duration',
    ],
    [
      '/api/v1/query',
      { query: 'up', lookback_delta: 'x' },
      'error parsing lookback delta duration: cannot parse "x" to a valid duration',
    ],
    [
      '/api/v1/query',
      { query: 'up', limit: 'x' },
      'invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax',
    ],
    ['/api/v1/series', {}, 'no match[] parameter provided'],
    [
      '/api/v1/series',
      { 'match[]': '{}' },
      'invalid parameter "match[]": match[] must contain at least one non-empty matcher',
    ],
    ['/api/v1/series', { 'match[]': 'up[' }, 'invalid parameter "match[]": 1:3: parse error: unexpected "["'],
    ['/api/v1/metadata', { limit: 'x' }, 'limit must be a number'],
    [
      '/api/v1/query_exemplars',
      { query: 'up', start: '2', end: '1' },
      'end timestamp must not be before start timestamp',
    ],
  ])('%s %j', async (path, parameters, error) => {
    const answer = await get(path, parameters as Record<string, string>)
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text)).toMatchObject({ status: 'error', errorType: 'bad_data' })
    expect(JSON.parse(answer.text).error).toContain(error)
  })

  test('an evaluation that the data does not allow is 422', async () => {
    const answer = await get('/api/v1/query', { query: 'up + on(job) http_requests_total', time: '1700000000' })
    expect(answer.status).toBe(422)
    expect(JSON.parse(answer.text).errorType).toBe('execution')
  })

  test('a timeout is 503 in the words of the engine', async () => {
    const parameters = { query: 'sum(up)', time: '1700000000', timeout: '0.0000001' }
    const answer = await get('/api/v1/query', parameters)
    expect(answer.status).toBe(503)
    expect(JSON.parse(answer.text)).toMatchObject({
      errorType: 'timeout',
      error: expect.stringContaining('query timed out in expression evaluation'),
    })
  })
})

describe('text of queries', () => {
  test('format and parse', async () => {
    const query = 'foo/bar'
    expect(data(await get('/api/v1/format_query', { query }))).toBe('foo / bar')
    expect(data(await get('/api/v1/parse_query', { query }))).toMatchObject({ type: 'binaryExpr', op: '/' })
  })
})

test('federation gives the newest samples as text', async () => {
  const nowMs = Date.now()
  await writeSeries(server.url, [{ labels: { __name__: 'fed', a: 'x"y\n' }, samples: [[nowMs - 1000, 1.5]] }])
  const answer = await get('/federate', { 'match[]': '{__name__="fed"}' })
  expect(answer.text).toBe(`# TYPE fed untyped\nfed{a="x\\"y\\n",instance=""} 1.5 ${nowMs - 1000}\n`)
  expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4')
})

test('namespaces and status', async () => {
  expect(data(await get('/api/v1/status/tsdb')).headStats.numSeries).toBeGreaterThan(2)
  expect(data(await get('/api/v1/status/config')).yaml).toContain('listen: 127.0.0.1:0')
  expect(data(await get('/api/v1/status/flags'))['query.lookback-delta']).toBe('5m')
  expect((await get('/api/v1/status/tsdb', { limit: '0' })).status).toBe(400)
  expect((await get('/-/ready')).status).toBe(200)
  expect((await post('/api/v1/admin/tsdb/flush', {})).status).toBe(503)
})
