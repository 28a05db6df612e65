/**
 * Remote write over HTTP, side by side: every server takes the same request bodies from several connections, and is asked
 * afterwards how many samples it holds. Only the server's own CPU time counts, not the sender's.
 *
 *     npm run bench -- servers/ingest [--small] [--hosts 200] [--steps 480] [--servers varve,prometheus,victoria-metrics]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { Fleet } from '../fleet/fleet.js'
import { checkCount } from './check-count.js'
import { cpuSeconds, diskBytes, residentMemoryMiB, type ServerName, startServer } from './servers.js'
import { readRequests, writeRequestsFile } from './write-requests.js'

export interface IngestBenchmarkOptions {
  readonly hosts: number
  readonly steps: number
  readonly connections: number
  readonly servers: readonly ServerName[]
}

export interface IngestResult {
  readonly server: string
  readonly samplesPerCpuSecond: number
  readonly samplesPerSecond: number
  readonly requestMsP50: number
  readonly requestMsP99: number
  readonly peakMemoryMiB: number
  readonly bytesPerSample: number
}

const HEADERS = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }
/** In the past, at a multiple of the block size, so that no server takes it for the future. */
const START_MS = 1_799_999_200_000 - (1_799_999_200_000 % 7_200_000) - 400 * 86_400_000

export async function runIngestBenchmark(
  options: IngestBenchmarkOptions,
  log: (line: string) => void,
): Promise<IngestResult[]> {
  const fleet = new Fleet({ hosts: options.hosts, steps: options.steps, startMs: START_MS })
  log(`${fleet.series.length} series, ${fleet.sampleCount} samples, ${options.connections} connections`)
  const requests = await writeRequestsFile(fleet)
  const results: IngestResult[] = []
  for (const name of options.servers) {
    const result = await measure(name, requests, fleet, options)
    results.push(result)
    log(lineOf(result))
  }
  for (const line of ratios(results)) log(line)
  return results
}

async function measure(
  name: ServerName,
  requests: string,
  fleet: Fleet,
  options: IngestBenchmarkOptions,
): Promise<IngestResult> {
  const directory = await mkdtemp(join(tmpdir(), `varve-ingest-${name}-`))
  const server = await startServer(name, directory)
  const agent = new Agent({ connections: options.connections, pipelining: 1, bodyTimeout: 0, headersTimeout: 0 })
  try {
    const durations: number[] = []
    const cpuBefore = await cpuSeconds(server.pid)
    // The kernel's own mark may be that of the process that started the server, so we look for ourselves.
    let peak = 0
    const watch = setInterval(async () => {
      peak = Math.max(peak, await residentMemoryMiB(server.pid).catch(() => 0))
    }, 200)
    const startedMs = performance.now()
    const bodies = readRequests(requests)
    const post = async (body: Uint8Array) => {
      const sentMs = performance.now()
      const answer = await request(`${server.url}/api/v1/write`, {
        method: 'POST',
        headers: HEADERS,
        body,
        dispatcher: agent,
      })
      const text = await answer.body.text()
      durations.push(performance.now() - sentMs)
      if (answer.statusCode >= 300) throw new Error(`${name} answered ${answer.statusCode}: ${text.slice(0, 300)}`)
    }
    // Each host's requests must stay in order: so many are in flight as hosts allow, in waves.
    const perStep = Math.ceil(fleet.series.length / 2_000)
    const inFlight = Math.max(1, Math.min(options.connections, perStep))
    let wave: Promise<void>[] = []
    for await (const body of bodies) {
      wave.push(post(Uint8Array.from(body)))
      if (wave.length === inFlight) {
        await Promise.all(wave)
        wave = []
      }
    }
    await Promise.all(wave)
    const seconds = (performance.now() - startedMs) / 1000
    const cpu = (await cpuSeconds(server.pid)) - cpuBefore
    clearInterval(watch)
    await checkCount(server.url, fleet)
    durations.sort((a, b) => a - b)
    return {
      server: name,
      samplesPerCpuSecond: fleet.sampleCount / cpu,
      samplesPerSecond: fleet.sampleCount / seconds,
      requestMsP50: durations[Math.floor(durations.length * 0.5)],
      requestMsP99: durations[Math.floor(durations.length * 0.99)],
      peakMemoryMiB: peak,
      bytesPerSample: (await diskBytes(directory)) / fleet.sampleCount,
    }
  } finally {
    await agent.close()
    await server.kill()
    await rm(directory, { recursive: true, force: true })
  }
}

function lineOf(result: IngestResult): string {
  const million = (value: number) => (value / 1e6).toFixed(3)
  return (
    `servers/ingest/fleet/${result.server}: ${million(result.samplesPerCpuSecond)} M samples per CPU second, ` +
    `${million(result.samplesPerSecond)} M/s, p50 ${result.requestMsP50.toFixed(1)} ms, ` +
    `p99 ${result.requestMsP99.toFixed(1)} ms, peak ${result.peakMemoryMiB.toFixed(0)} MiB, ` +
    `${result.bytesPerSample.toFixed(2)} B/sample on disk`
  )
}

function ratios(results: readonly IngestResult[]): string[] {
  const lines: string[] = []
  for (const ours of results.filter(({ server }) => server.startsWith('varve'))) {
    for (const other of results.filter(({ server }) => !server.startsWith('varve'))) {
      const ratio = ours.samplesPerCpuSecond / other.samplesPerCpuSecond
      lines.push(
        `servers/ingest: ${ours.server} takes ${ratio.toFixed(2)} times as many as ${other.server} a CPU second`,
      )
    }
  }
  return lines
}
