import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { afterEach, expect, test } from 'vitest'
import { startCoordinator, type TestCoordinator, writeSeries } from '../testing/start-coordinator.js'
import { ForwardQueue } from './forward-queue.js'

const open: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop()
})

async function start(yaml: string): Promise<TestCoordinator> {
  const server = await startCoordinator({ yaml })
  open.push(server)
  return server
}

function proxy(target: string, status: () => number): Promise<{ url: string; requests: number[] }> {
  const requests: number[] = []
  const server: Server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const code = status()
    requests.push(code)
    if (code < 300) {
      const headers = { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' }
      await fetch(target, { method: 'POST', headers, body: Buffer.concat(parts) })
    }
    response.writeHead(code).end()
  })
  open.push({ stop: () => server.closeAllConnections() ?? server.close() })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests })
    })
  })
}

const count = async (url: string, query: string) => {
  const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query, time: '1700000300' })}`)
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } }
  return Number(data.result[0]?.value[1] ?? 0)
}

const samples = Array.from({ length: 20 }, (_, i) => [1_700_000_000_000 + i * 15_000, i] as const)

test('samples arrive, a failing target is asked again, series that do not match stay', async () => {
  const target = await start('self_scrape: off')
  let code = 503
  const way = await proxy(`${target.url}/api/v1/write`, () => code)
  const front = await start(`self_scrape: off
external_labels: { site: north }
remote_write:
  - { name: far, url: "${way.url}", match: ['{job="api"}'], samples_per_request: 7 }`)
  await writeSeries(front.url, [
    { labels: { __name__: 'up', job: 'api' }, samples },
    { labels: { __name__: 'up', job: 'other' }, samples },
  ])
  await expect.poll(() => way.requests.length, { timeout: 5_000 }).toBeGreaterThan(2)
  code = 204
  await expect.poll(() => count(target.url, 'count_over_time(up[10m])'), { timeout: 10_000 }).toBe(20)
  expect(await count(target.url, 'count(up{site="north",job="api"} or up)')).toBe(1)
  // The target has them before we have its answer.
  await expect
    .poll(async () => (await fetch(`${front.url}/metrics`)).text(), { timeout: 5_000 })
    .toMatch(/varve_forward_sent_samples_total\{target="far"\} 20/)
})

test('rolled-up samples are sent on too, from a namespace that a rule made later', async () => {
  const target = await start('self_scrape: off')
  const front = await start(`self_scrape: off
remote_write: [{ name: far, url: "${target.url}/api/v1/write", namespaces: [1s_1d] }]`)
  mkdirSync(join(front.directory, 'rules', 'mapping'), { recursive: true })
  writeFileSync(join(front.directory, 'rules/mapping/all.json'), '{"match": "{job=\\"api\\"}", "policies": ["1s:1d"]}')
  const nowMs = () => Date.now()
  await expect
    .poll(
      async () => {
        await writeSeries(front.url, [{ labels: { __name__: 'up', job: 'api' }, samples: [[nowMs(), 1]] }])
        const names = await fetch(`${target.url}/api/v1/label/__name__/values`)
        return ((await names.json()) as { data: string[] }).data
      },
      { timeout: 20_000, interval: 250 },
    )
    .toContain('up')
})

test('a queue keeps its order over a restart, cuts a torn end, and drops the oldest when full', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'varve-queue-'))
  open.push({ stop: () => rmSync(directory, { recursive: true }) })
  const options = { files: nodeEnv().files, directory, sizeBytesMax: 1 << 30 }
  const first = await ForwardQueue.open(options)
  for (let i = 1; i <= 3; i++) await first.append({ payload: Uint8Array.of(i), sampleCount: i })
  expect((await first.first())?.payload).toEqual(Uint8Array.of(1))
  await first.remove()
  expect((await first.first())?.payload).toEqual(Uint8Array.of(2))
  await first.append({ payload: Uint8Array.of(4), sampleCount: 4 })
  await first.close()

  const [name] = readdirSync(directory).sort()
  truncateSync(join(directory, name), 8 + 13 * 3 - 1)
  const second = await ForwardQueue.open(options)
  const seen: number[] = []
  for (let record = await second.first(); record !== null; record = await second.first()) {
    seen.push(record.payload[0])
    await second.remove()
  }
  expect(seen).toEqual([1, 2, 4])
  expect(readdirSync(directory)).toEqual([])
  await second.close()

  const small = await ForwardQueue.open({ ...options, sizeBytesMax: 9 << 20 })
  for (let i = 0; i < 4; i++) await small.append({ payload: new Uint8Array(4 << 20), sampleCount: 10 })
  expect(small.droppedSampleCount).toBe(20)
  expect(small.sizeBytes).toBeLessThan(9 << 20)
  await small.close()
})
