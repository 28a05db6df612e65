/**
 * Writes and queries at the same time: how fast the server takes writes alone is measured first, then it gets half of that, at
 * even distances, while the dashboards' queries are asked in a loop.
 *
 *     npm run bench -- servers/mixed [--small] [--hosts 200] [--steps 240] [--server varve|varve-typescript]
 *
 * A turn of the event loop is told from outside (`stall-probe.ts`), in processor time of the main thread and by the clock.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startStallProbe } from '@varve/end-to-end'
import { Agent, request } from 'undici'
import { Fleet } from '../fleet/fleet.js'
import { QUERIES } from './queries.js'
import { urlOf } from './query-benchmark.js'
import { peakMemoryMiB, type ServerName, startServer } from './servers.js'
import { readRequests, SAMPLES_PER_REQUEST, writeRequestsFile } from './write-requests.js'

export interface MixedBenchmarkOptions {
  readonly hosts: number
  /** The first half of them is sent as fast as it is taken, the second at half of that speed. */
  readonly steps: number
  readonly connections: number
  readonly server: ServerName
}

export interface MixedResult {
  readonly maximumPerSecond: number
  readonly reachedPerSecond: number
  readonly failedWrites: number
  readonly failedQueries: number
  readonly writeCount: number
  readonly queryCount: number
  readonly writeMsP50: number
  readonly writeMsP99: number
  readonly queryMsP50: number
  readonly queryMsP99: number
  /** The longest turn: processor time of the main thread, and by the clock. */
  readonly turnCpuMsMax: number
  readonly turnWallMsMax: number
  readonly peakMemoryMiB: number
}

const HEADERS = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }
const START_MS = 1_799_999_200_000 - (1_799_999_200_000 % 7_200_000) - 400 * 86_400_000

export async function runMixedBenchmark(
  options: MixedBenchmarkOptions,
  log: (line: string) => void,
): Promise<MixedResult> {
  const fleet = new Fleet({ hosts: options.hosts, steps: options.steps, startMs: START_MS })
  log(`${fleet.series.length} series, ${fleet.sampleCount} samples`)
  const bodies: Uint8Array[] = []
  for await (const body of readRequests(await writeRequestsFile(fleet))) bodies.push(Uint8Array.from(body))
  const half = bodies.length >> 1
  const directory = await mkdtemp(join(tmpdir(), 'varve-mixed-'))
  const server = await startServer(options.server, directory)
  const agent = new Agent({ connections: options.connections, pipelining: 1, bodyTimeout: 0, headersTimeout: 0 })
  const port = Number(new URL(server.url).port)
  const durations: number[] = []
  let failedWrites = 0
  const write = async (body: Uint8Array) => {
    const sentMs = performance.now()
    const answer = await request(`${server.url}/api/v1/write`, {
      method: 'POST',
      headers: HEADERS,
      body,
      dispatcher: agent,
    })
    await answer.body.text()
    durations.push(performance.now() - sentMs)
    if (answer.statusCode >= 300) failedWrites++
  }
  try {
    const inFlightMax = Math.max(1, Math.min(options.connections, Math.ceil(fleet.series.length / SAMPLES_PER_REQUEST)))
    const firstMs = performance.now()
    for (let at = 0; at < half; at += inFlightMax)
      await Promise.all(bodies.slice(at, Math.min(half, at + inFlightMax)).map(write))
    const requestsPerMs = half / (performance.now() - firstMs)
    const perSecond = (samples: number, ms: number) => (samples * 1000) / ms
    const samplesPerRequest = fleet.sampleCount / bodies.length
    const maximumPerSecond = perSecond(samplesPerRequest, 1 / requestsPerMs)

    durations.length = 0
    const probe = startStallProbe(server.pid, port)
    const queries = new Queries(server, Math.floor((START_MS + (options.steps / 2) * 15_000) / 1000))
    const startedMs = performance.now()
    const inFlight = new Set<Promise<void>>()
    for (let i = half; i < bodies.length; i++) {
      const dueMs = startedMs + (i - half) / (requestsPerMs / 2)
      const waitMs = dueMs - performance.now()
      if (waitMs > 0.5) await new Promise((resolve) => setTimeout(resolve, waitMs))
      const one = write(bodies[i]).finally(() => inFlight.delete(one))
      inFlight.add(one)
      if (inFlight.size >= options.connections) await Promise.race(inFlight)
    }
    await Promise.all(inFlight)
    const elapsedMs = performance.now() - startedMs
    await queries.stop()
    const stall = await probe.take()
    await probe.stop()
    const result: MixedResult = {
      maximumPerSecond,
      reachedPerSecond: perSecond(samplesPerRequest * (bodies.length - half), elapsedMs),
      failedWrites,
      failedQueries: queries.failed,
      writeCount: durations.length,
      queryCount: queries.durations.length,
      writeMsP50: quantile(durations, 0.5),
      writeMsP99: quantile(durations, 0.99),
      queryMsP50: quantile(queries.durations, 0.5),
      queryMsP99: quantile(queries.durations, 0.99),
      turnCpuMsMax: stall.cpuMs,
      turnWallMsMax: stall.wallMs,
      peakMemoryMiB: await peakMemoryMiB(server.pid),
    }
    log(lineOf(options.server, result))
    return result
  } finally {
    await agent.close()
    await server.kill()
    await rm(directory, { recursive: true, force: true })
  }
}

/** Asks one after the other, round and round, on a connection of its own. */
class Queries {
  readonly durations: number[] = []
  failed = 0
  #running = true
  readonly #agent = new Agent({ connections: 1, pipelining: 1, bodyTimeout: 0, headersTimeout: 0 })
  readonly #done: Promise<void>

  constructor(server: { readonly url: string }, endSeconds: number) {
    this.#done = this.#run(server, endSeconds)
  }

  async stop(): Promise<void> {
    this.#running = false
    await this.#done
    await this.#agent.close()
  }

  async #run(server: { readonly url: string }, endSeconds: number): Promise<void> {
    for (let i = 0; this.#running; i++) {
      const sentMs = performance.now()
      const answer = await request(urlOf(QUERIES[i % QUERIES.length], server, endSeconds), { dispatcher: this.#agent })
      await answer.body.text()
      this.durations.push(performance.now() - sentMs)
      if (answer.statusCode !== 200) this.failed++
    }
  }
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]
}

function lineOf(server: string, result: MixedResult): string {
  const million = (value: number) => (value / 1e6).toFixed(3)
  const ms = (value: number) => `${value.toFixed(1)} ms`
  return (
    `servers/mixed/fleet/${server}: maximum ${million(result.maximumPerSecond)} M samples/s, then ${million(result.reachedPerSecond)} M/s with ` +
    `${result.queryCount} queries (p50 ${ms(result.queryMsP50)}, p99 ${ms(result.queryMsP99)}, ${result.failedQueries} failed); ` +
    `${result.writeCount} writes, ${result.failedWrites} failed, p50 ${ms(result.writeMsP50)}, p99 ${ms(result.writeMsP99)}; ` +
    `longest turn ${ms(result.turnCpuMsMax)} of processor time, ${ms(result.turnWallMsMax)} by the clock; ` +
    `peak ${result.peakMemoryMiB.toFixed(0)} MiB`
  )
}
