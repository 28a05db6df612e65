/**
 * Native histograms, side by side with Prometheus: bytes a sample on disk, and the quantile of their rates over HTTP.
 *
 *     npm run bench -- servers/histograms [--small] [--series 2000] [--rounds 2]
 *
 * Prometheus' bytes are those of its chunks, taken from a snapshot of its head; ours are those of the sealed blocks, with
 * index and all. The answers of both are compared first.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { request } from 'undici'
import { histogramRequests } from './histogram-fleet.js'
import { diskBytes, type Server, startServer } from './servers.js'

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    series: { type: 'string' },
    rounds: { type: 'string' },
  },
})
const seriesCount = Number(values.series ?? (values.small ? 40 : 2_000))
const steps = values.small ? 60 : 480
const rounds = Number(values.rounds ?? (values.small ? 3 : 2))
// Two hours that have passed and lie in one block.
const startMs = Math.floor(Date.now() / 7_200_000) * 7_200_000 - 7_200_000
const QUERY = 'histogram_quantile(0.99, sum by (handler) (rate(request_latency_seconds[5m])))'

const directory = await mkdtemp(join(tmpdir(), 'varve-histograms-'))
const servers: Server[] = []
try {
  for (const name of ['varve', 'varve-typescript', 'prometheus'] as const) {
    servers.push(await startServer(name, await mkdtemp(join(directory, `${name}-`))))
  }
  const loadStartedMs = performance.now()
  for (const body of histogramRequests({ seriesCount, steps, startMs, stepMs: 15_000 })) {
    await Promise.all(servers.map((server) => write(server, body)))
  }
  const loadSeconds = (performance.now() - loadStartedMs) / 1000
  console.log(`${seriesCount} series, ${seriesCount * steps} histograms, loaded in ${loadSeconds.toFixed(0)} s`)

  // The first round has the answers that are compared; one server at a time, so that none has to share the machine.
  const times = servers.map((): number[] => [])
  let wanted: string | undefined
  for (let round = 0; round < rounds; round++) {
    const answers: Answer[] = []
    for (const [i, server] of servers.entries()) {
      const startedMs = performance.now()
      answers.push(await ask(server))
      times[i].push(performance.now() - startedMs)
      console.log(`round ${round + 1}: ${server.name} ${times[i][round].toFixed(0)} ms`)
    }
    wanted ??= JSON.stringify(rounded(answers[answers.length - 1]))
    servers.forEach(({ name }, i) => {
      if (JSON.stringify(rounded(answers[i])) !== wanted) throw new Error(`${name} answers differently from Prometheus`)
    })
  }
  const medians = times.map((list) => list.sort((a, b) => a - b)[(list.length - 1) >> 1])
  servers.forEach(({ name }, i) => {
    console.log(
      `servers/histograms/quantile/${name}: ${medians[i].toFixed(1)} ms, ${(medians[2] / medians[i]).toFixed(2)} times as fast as Prometheus`,
    )
  })

  const [varve, , prometheus] = servers
  await post(`${varve.url}/api/v1/admin/tsdb/flush`)
  const { data } = JSON.parse(await post(`${prometheus.url}/api/v1/admin/tsdb/snapshot`)) as { data: { name: string } }
  const ours = (await diskBytes(join(varve.directory, 'data', 'namespaces'))) / (seriesCount * steps)
  const snapshot = join(prometheus.directory, 'data', 'snapshots', data.name)
  const theirs = (await diskBytesOfChunks(snapshot)) / (seriesCount * steps)
  console.log(`servers/histograms/disk/varve: ${ours.toFixed(1)} B/histogram, all of the blocks`)
  console.log(
    `servers/histograms/disk/prometheus: ${theirs.toFixed(1)} B/histogram, chunks alone; ratio ${(ours / theirs).toFixed(3)}`,
  )
} finally {
  for (const server of servers) await server.kill()
  await rm(directory, { recursive: true, force: true })
}

async function write(server: Server, body: Uint8Array): Promise<void> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }
  const answer = await request(`${server.url}/api/v1/write`, { method: 'POST', headers, body })
  const text = await answer.body.text()
  if (answer.statusCode >= 300) throw new Error(`${server.name} answered ${answer.statusCode}: ${text.slice(0, 300)}`)
}

async function post(url: string): Promise<string> {
  const answer = await request(url, { method: 'POST' })
  const text = await answer.body.text()
  if (answer.statusCode >= 300) throw new Error(`${url} answered ${answer.statusCode}: ${text.slice(0, 300)}`)
  return text
}

async function diskBytesOfChunks(snapshot: string): Promise<number> {
  let total = 0
  for (const block of await readdir(snapshot)) total += await diskBytes(join(snapshot, block, 'chunks'))
  return total
}

interface Answer {
  readonly data: { readonly result: { metric: Record<string, string>; values: [number, string][] }[] }
}

async function ask(server: Server): Promise<Answer> {
  // Between scrapes: Prometheus 2.42 counts a sample at the very start of a range, later versions do not.
  const startSeconds = startMs / 1000 + 607
  const range = { start: String(startSeconds), end: String(startMs / 1000 + steps * 15), step: '60' }
  const answer = await request(`${server.url}/api/v1/query_range?${new URLSearchParams({ query: QUERY, ...range })}`)
  const text = await answer.body.text()
  if (answer.statusCode !== 200) throw new Error(`${server.name} answered ${answer.statusCode}: ${text.slice(0, 300)}`)
  return JSON.parse(text) as Answer
}

/** By bucket: Prometheus 2.42 interpolates linearly inside one, where later versions do so on its exponential scale. */
function rounded({ data }: Answer): unknown {
  return data.result
    .map(({ metric, values }) => [metric.handler, values.map(([time, value]) => [time, bucketOf(Number(value))])])
    .sort()
}

/** The bucket of schema 3 that a quantile fell into: both interpolations stay inside of it. */
function bucketOf(value: number): number {
  return Math.ceil(Math.log2(value) * 8 - 1e-9)
}
