/**
 * Far more writes than a small server can take, from senders that repeat at once what is refused: it lives within its memory,
 * says 503 with Retry-After, loses nothing that it acknowledged, and is itself again soon after.
 */
import { mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Coordinator, freePort } from '@varve/end-to-end'
import { Pool } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { encodeSnappy } from './snappy/index.js'
import { bodyV1 } from './testing/write-bodies.js'

const SENDERS = 48
const SECONDS = 4
const SERIES_PER_REQUEST = 200
const SAMPLES_PER_SERIES = 4
const HEADERS = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }
/** All senders together hold some ten times of it. */
const CONFIG = 'server: { in_flight_size: 128KiB }\nself_scrape: off\nstorage: { retention: forever, memory: 32MiB }\n'
const MEMORY_MIB_MAX = 400
const START_MS = Date.now() - 600_000
const CGROUP = `/sys/fs/cgroup/memory/varve-test-${process.pid}`

let directory: string
let server: Coordinator
let port: number
/** Whether this machine lets us make a memory cgroup (version 1, as root): the kernel then ends a process that takes more. */
let isConfined = false

const start = () =>
  Coordinator.start({
    dataDirectory: join(directory, 'data'),
    port,
    flags: ['--config', join(directory, 'varve.yaml')],
    env: { NODE_OPTIONS: '--max-old-space-size=160' },
  })

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-overload-'))
  await writeFile(join(directory, 'varve.yaml'), CONFIG)
  port = await freePort()
  server = await start()
  isConfined = await mkdir(CGROUP)
    .then(() => writeFile(`${CGROUP}/memory.limit_in_bytes`, String(MEMORY_MIB_MAX << 20)))
    .then(() => writeFile(`${CGROUP}/cgroup.procs`, String(server.pid)))
    .then(
      () => true,
      () => false,
    )
})
afterAll(async () => {
  await server?.kill()
  await rmdir(CGROUP).catch(() => {})
  await rm(directory, { recursive: true, force: true })
})

function requestOf(sender: number, index: number): Uint8Array {
  return encodeSnappy(
    bodyV1(
      Array.from({ length: SERIES_PER_REQUEST }, (_, i) => ({
        labels: [
          ['__name__', 'flood'],
          ['path', `/a/rather/long/path/${i}`],
          ['sender', `${sender}`],
        ],
        samples: Array.from({ length: SAMPLES_PER_SERIES }, (_, k) => ({
          value: Math.random(),
          timestamp: START_MS + (index * SAMPLES_PER_SERIES + k) * 10,
        })),
      })),
    ),
  )
}

/** Samples of each sender that the server has. */
async function stored(): Promise<Map<string, number>> {
  const query = 'sum by (sender) (count_over_time(flood[1h]))'
  const answer = await fetch(
    `${server.url}/api/v1/query?${new URLSearchParams({ query, time: `${START_MS / 1000 + 3000}` })}`,
  )
  const { data } = (await answer.json()) as {
    data: { result: { metric: { sender: string }; value: [number, string] }[] }
  }
  return new Map(data.result.map(({ metric, value }) => [metric.sender, Number(value[1])]))
}

it('lives, says when to come again, and loses nothing', { timeout: 120_000 }, async () => {
  const pool = new Pool(server.url, {
    connections: SENDERS,
    pipelining: 1,
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
  })
  const acknowledged = new Array<number>(SENDERS).fill(0)
  const statuses = new Map<number, number>()
  let memoryMiB = 0
  const endMs = performance.now() + SECONDS * 1000
  const send = async (sender: number) => {
    for (let index = 0; performance.now() < endMs; index++) {
      const body = requestOf(sender, index)
      for (;;) {
        const answer = await pool.request({ method: 'POST', path: '/api/v1/write', headers: HEADERS, body })
        const text = await answer.body.text()
        statuses.set(answer.statusCode, (statuses.get(answer.statusCode) ?? 0) + 1)
        if (answer.statusCode === 204) {
          acknowledged[sender] += SERIES_PER_REQUEST * SAMPLES_PER_SERIES
          break
        }
        expect(answer.statusCode, text).toBe(503)
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
        if (performance.now() > endMs) break
      }
    }
  }
  const watch = setInterval(async () => {
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8').catch(() => '')
    memoryMiB = Math.max(memoryMiB, Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024)
  }, 100)
  await Promise.all(Array.from({ length: SENDERS }, (_, sender) => send(sender)))
  clearInterval(watch)
  await pool.close()
  expect(statuses.get(503) ?? 0).toBeGreaterThan(100)
  expect(statuses.get(204) ?? 0).toBeGreaterThan(20)
  expect(memoryMiB).toBeGreaterThan(50)
  expect(memoryMiB, isConfined ? 'in a cgroup' : 'by its resident memory').toBeLessThan(MEMORY_MIB_MAX)

  // Once the flood is over, a sender gets in and a query its answer.
  const floodEndMs = performance.now()
  await expect
    .poll(
      async () => {
        const body = requestOf(SENDERS, 0) as Uint8Array<ArrayBuffer>
        return (await fetch(`${server.url}/api/v1/write`, { method: 'POST', headers: HEADERS, body })).status
      },
      { timeout: 20_000, interval: 100 },
    )
    .toBe(204)
  const check = async () => {
    const found = await stored()
    for (const [sender, count] of acknowledged.entries()) {
      // What was not acknowledged may be there all the same.
      expect(found.get(`${sender}`) ?? 0, `sender ${sender}`).toBeGreaterThanOrEqual(count)
    }
  }
  await check()
  expect(performance.now() - floodEndMs).toBeLessThan(10_000)

  await server.kill()
  server = await start()
  await check()
})
