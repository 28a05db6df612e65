import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { afterEach, expect, test } from 'vitest'
import { nodeHttpClient } from '../env/node/http-client.js'
import { SILENT } from '../logging/logger.js'
import { decodeMessage, writeRequestCodec } from '../proto/messages.js'
import { decodeSnappy, encodeSnappy } from '../snappy/index.js'
import { startCoordinator, type TestCoordinator, writeSeries } from '../testing/start-coordinator.js'
import { ForwardQueue } from './forward-queue.js'
import { Forwarder, retryAfterMs } from './forwarder.js'

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
  await expect.poll(() => way.requests.length).toBeGreaterThan(2)
  code = 204
  await expect.poll(() => count(target.url, 'count_over_time(up[10m])')).toBe(20)
  expect(await count(target.url, 'count(up{site="north",job="api"} or up)')).toBe(1)
  // The target has them before we have its answer.
  await expect
    .poll(async () => (await fetch(`${front.url}/metrics`)).text())
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

/** A target that keeps what it was sent, and answers as it is told. */
async function receiver(answer: (response: ServerResponse, request: number) => void) {
  const received: { atMs: number; samples: [labels: string, timestampMs: number][] }[] = []
  const server: Server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const { timeseries } = decodeMessage(writeRequestCodec, decodeSnappy(Buffer.concat(parts), 32 << 20))
    const samples = timeseries.flatMap(({ labels, samples }) => {
      const text = labels.map(({ name, value }) => `${name}=${value}`).join()
      return samples.map(({ timestamp }) => [text, Number(timestamp)] as [string, number])
    })
    received.push({ atMs: Date.now(), samples })
    answer(response, received.length)
  })
  open.push({ stop: () => server.closeAllConnections() ?? server.close() })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/write`, received }
}

const forwardTo = (url: string, more = '') => `self_scrape: off
remote_write: [{ name: far, url: "${url}"${more} }]`

test('a request that was taken is not sent again, however much the target says to it', async () => {
  const { url, received } = await receiver((response) => response.writeHead(200).end('x'.repeat(300_000)))
  const front = await start(forwardTo(url))
  await writeSeries(front.url, [{ labels: { __name__: 'a' }, samples }])
  await expect.poll(() => received.length).toBe(1)
  await writeSeries(front.url, [{ labels: { __name__: 'b' }, samples }])
  await expect.poll(() => received.length).toBe(2)
  expect(received.map((request) => request.samples[0][0])).toEqual(['__name__=a', '__name__=b'])
})

test('a series with more samples than a request holds comes in several, in order', async () => {
  const { url, received } = await receiver((response) => response.writeHead(204).end())
  const front = await start(forwardTo(url, ', samples_per_request: 7'))
  await writeSeries(front.url, [
    { labels: { __name__: 'long' }, samples },
    { labels: { __name__: 'other' }, samples: samples.slice(0, 2) },
  ])
  await expect.poll(() => received.flatMap(({ samples }) => samples).length).toBe(22)
  expect(Math.max(...received.map((request) => request.samples.length))).toBe(7)
  const long = received.flatMap(({ samples }) => samples).filter(([labels]) => labels === '__name__=long')
  expect(long.map(([, timeMs]) => timeMs)).toEqual(samples.map(([timeMs]) => timeMs))
})

test('samples of far apart hours that came together, out of order, are all sent, each once', async () => {
  const { url, received } = await receiver((response) => response.writeHead(204).end())
  const front = await start(forwardTo(url))
  const times = [0, 15_000, 7 * 3_600_000, 7 * 3_600_000 + 15_000, 30 * 3_600_000].map((ms) => 1_700_000_000_000 + ms)
  const of = (name: string, at: readonly number[]) => ({
    labels: { __name__: name },
    samples: at.map((timeMs) => [timeMs, 1] as const),
  })
  expect(await writeSeries(front.url, [of('a', times), of('b', times.slice(2))])).toBe(204)
  expect(await writeSeries(front.url, [of('b', times.slice(0, 2))])).toBe(204)
  await expect.poll(() => received.flatMap(({ samples }) => samples).length).toBe(10)
  const all = received.flatMap(({ samples }) => samples)
  for (const name of ['a', 'b']) {
    const own = all.filter(([labels]) => labels === `__name__=${name}`).map(([, timeMs]) => timeMs)
    expect([...own].sort()).toEqual(times)
  }
})

test('after an orderly stop nothing is sent twice; after another end the last minutes are', async () => {
  const { url, received } = await receiver((response) => response.writeHead(204).end())
  const yaml = forwardTo(url)
  const front = await start(yaml)
  const nowMs = Date.now()
  await writeSeries(front.url, [{ labels: { __name__: 'a' }, samples: [[nowMs, 1]] }])
  await expect.poll(() => received.length).toBe(1)
  const data = join(front.directory, 'data')
  // Stopped, so that its folder is whole; copied, since it removes it.
  const copy = mkdtempSync(join(tmpdir(), 'varve-forward-'))
  open.push({ stop: () => rmSync(copy, { recursive: true }) })
  await front.coordinator.stop()
  cpSync(data, copy, { recursive: true })

  const again = await startCoordinator({ yaml, prepare: async (into) => cpSync(copy, into, { recursive: true }) })
  open.push(again)
  await writeSeries(again.url, [{ labels: { __name__: 'b' }, samples: [[nowMs, 1]] }])
  await expect.poll(() => received.length).toBe(2)
  expect(received[1].samples.map(([labels]) => labels)).toEqual(['__name__=b'])

  rmSync(join(copy, 'forward/far/complete'))
  open.push(await startCoordinator({ yaml, prepare: async (into) => cpSync(copy, into, { recursive: true }) }))
  await expect.poll(() => received.length).toBe(3)
  expect(received[2].samples).toEqual([['__name__=a', nowMs]])
})

test('what cannot be queued is kept and tried again', async () => {
  const { url, received } = await receiver((response) => response.writeHead(204).end())
  const front = await start(forwardTo(url))
  // A file where the queue's next segment would be: it cannot be made.
  const obstacles = Array.from({ length: 9 }, (_, i) =>
    join(front.directory, 'data/forward/far', `000000000${i + 1}.queue`),
  )
  for (const path of obstacles) mkdirSync(path)
  await writeSeries(front.url, [{ labels: { __name__: 'a' }, samples: samples.slice(0, 1) }])
  await expect
    .poll(async () => (await fetch(`${front.url}/metrics`)).text())
    .toMatch(/varve_forward_queue_failures_total\{target="far"\} [1-9]/)
  await writeSeries(front.url, [{ labels: { __name__: 'b' }, samples: samples.slice(0, 1) }])
  for (const path of obstacles) rmSync(path, { recursive: true })
  await expect.poll(() => received.flatMap(({ samples }) => samples).length).toBe(2)
})

test('a pause that the target asks for is kept', async () => {
  const { url, received } = await receiver((response, request) => {
    if (request > 1) response.writeHead(204).end()
    else response.writeHead(503, { 'Retry-After': '1' }).end()
  })
  const front = await start(forwardTo(url))
  await writeSeries(front.url, [{ labels: { __name__: 'a' }, samples: samples.slice(0, 1) }])
  await expect.poll(() => received.length).toBe(2)
  expect(received[1].atMs - received[0].atMs).toBeGreaterThanOrEqual(950)
})

test('it stops while the last segment of its queue is being removed', async () => {
  const { url, received } = await receiver((response) => response.writeHead(204).end())
  const directory = mkdtempSync(join(tmpdir(), 'varve-forward-'))
  const env = nodeEnv()
  const http = nodeHttpClient()
  open.push({ stop: () => http.close() }, { stop: () => rmSync(directory, { recursive: true }) })
  let removing = false
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  const files = Object.assign(Object.create(env.files) as typeof env.files, {
    async remove(path: string) {
      removing = true
      await released
      await env.files.remove(path)
    },
  })
  const queue = await ForwardQueue.open({ files, directory, sizeBytesMax: 1 << 20, onDamage: () => {} })
  await queue.append({ payload: encodeSnappy(new Uint8Array()), sampleCount: 1 })
  const forwarder = new Forwarder({
    ...{ name: 'far', url, timeoutMs: 5_000, queue, http, clock: env.clock, logger: SILENT },
    ...{
      selectors: [],
      samplesPerRequest: 10,
      namespaces: () => [],
      connection: { headers: () => ({}) },
      externalLabels: () => ({}),
    },
  })
  forwarder.start()
  await expect.poll(() => removing).toBe(true)
  expect(received).toHaveLength(1)
  const stopped = forwarder.stop()
  await new Promise((resolve) => setImmediate(resolve))
  release()
  await stopped
})

test('Retry-After is seconds or a date, and nothing else', () => {
  const nowMs = Date.UTC(2024, 0, 1, 12, 0, 0)
  expect(retryAfterMs('7', nowMs)).toBe(7_000)
  expect(retryAfterMs('Mon, 01 Jan 2024 12:00:05 GMT', nowMs)).toBe(5_000)
  expect(retryAfterMs('Mon, 01 Jan 2024 11:00:00 GMT', nowMs)).toBe(0)
  expect(retryAfterMs('99999', nowMs)).toBe(60_000)
  for (const text of [undefined, '', 'soon', '-1']) expect(retryAfterMs(text, nowMs), text).toBe(0)
})
