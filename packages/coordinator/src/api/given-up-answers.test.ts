/** Answers whose body nobody reads. */
import { afterEach, expect, test } from 'vitest'
import { startCoordinator, type TestCoordinator } from '../testing/start-coordinator.js'

let server: TestCoordinator | undefined
afterEach(async () => {
  await server?.stop()
})

test('a long answer that is not read gives its place among the queries back', { timeout: 60_000 }, async () => {
  server = await startCoordinator({ yaml: 'query: { concurrency: 1, queue_length: 0 }' })
  // More than one part.
  const long = `${server.url}/api/v1/query_range?query=vector(1%2F3)&start=1700000000&end=1700011000&step=1`
  for (let i = 0; i < 3; i++) expect((await fetch(long, { method: 'HEAD' })).status).toBe(200)
  const answer = await fetch(`${server.url}/api/v1/query?query=1`)
  expect(answer.status).toBe(200)
})
