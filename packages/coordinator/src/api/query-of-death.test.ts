/** Queries that are made to hurt: each is answered with a reason, soon, and the server goes on. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCoordinator, type TestCoordinator, writeSeries } from '../testing/start-coordinator.js'

let server: TestCoordinator
beforeAll(async () => {
  server = await startCoordinator({ yaml: 'self_scrape: off' })
  const series = Array.from({ length: 500 }, (_, i) => ({
    labels: { __name__: 'x', i: String(i), text: 'a'.repeat(500) },
    samples: [[1_700_000_000_000, i] as const],
  }))
  expect(await writeSeries(server.url, series)).toBe(204)
})
afterAll(() => server.stop())

const ask = async (path: string, parameters: Record<string, string>) => {
  const response = await fetch(`${server.url}/api/v1/${path}`, {
    method: 'POST',
    body: new URLSearchParams({ time: '1700000000', ...parameters }),
  })
  const answer = (await response.json()) as { errorType?: string; error?: string }
  return { ...answer, status: response.status }
}

test.each([
  ['a subquery of 31 billion steps', 'sum_over_time(x[1y:1ms])', 422, 'steps of 1 ms, at most 5000000'],
  ['the same without a function', 'x[1y:1ms]', 422, 'steps of 1 ms'],
  ['10,000 parentheses', `${'('.repeat(10_000)}1${')'.repeat(10_000)}`, 400, 'nested deeper than'],
  ['400 calls in each other', `${'abs('.repeat(400)}x${')'.repeat(400)}`, 422, 'nested too deeply'],
  ['a pattern of 40,000 characters', `x{text=~"${'(a+)+'.repeat(8_000)}"}`, 400, 'PATTERN_LENGTH_MAX'],
  ['a program that is too large', 'x{text=~"(.{1,1000}){1,1000}"}', 400, 'expression too large'],
])('%s', async (_, query, status, message) => {
  const startedMs = performance.now()
  const answer = await ask('query', { query })
  expect(answer.status).toBe(status)
  expect(answer.error).toContain(message)
  expect(performance.now() - startedMs).toBeLessThan(2_000)
})

test('patterns that make other engines try for ever take linear time', async () => {
  const startedMs = performance.now()
  for (const pattern of ['(a+)+b', '(a|aa)+b', '(.*)*b', '(.*.*.*=.*)']) {
    expect((await ask('query', { query: `count(x{text=~"${pattern}"})` })).status).toBe(200)
  }
  expect(performance.now() - startedMs).toBeLessThan(2_000)
})

test('more points than Prometheus answers are refused before anything is read', async () => {
  const answer = await ask('query_range', { query: 'x', start: '0', end: '1e9', step: '0.001' })
  expect(answer.status).toBe(400)
  expect(answer.error).toContain('exceeded maximum resolution of 11,000 points')
})
