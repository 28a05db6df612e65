/**
 * Queries over HTTP, side by side: Varve with and without the native module, Prometheus and VictoriaMetrics hold the same
 * fleet, and are asked the same questions in turn. Answers are compared with Prometheus' before anything is timed.
 *
 *     npm run bench -- servers/query [--small] [--hosts 200] [--rounds 7] [--warm-up 15] [--servers varve,prometheus,victoria-metrics]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { Fleet } from '../fleet/fleet.js'
import { FleetRandom } from '../fleet/random.js'
import { type BenchmarkQuery, QUERIES } from './queries.js'
import {
  peakMemoryMiB,
  resetPeakMemory,
  residentMemoryMiB,
  type Server,
  type ServerName,
  startServer,
} from './servers.js'
import { readRequests, writeRequestsFile } from './write-requests.js'

export interface QueryBenchmarkOptions {
  readonly hosts: number
  readonly steps: number
  readonly rounds: number
  /**
   * How often all queries are asked of all servers before any is timed. Code that was run a few times only is interpreted:
   * the third pass over short queries takes Varve twice the time of the twentieth.
   */
  readonly warmUp: number
  readonly servers: readonly ServerName[]
}

export interface QueryTiming {
  readonly query: string
  /** Median of a whole HTTP request, by server. */
  readonly medianMs: ReadonlyMap<string, number>
  readonly seriesCount: number
  /** What is not as in Prometheus; empty when all agree. */
  readonly differences: readonly string[]
}

const AGENT = new Agent({ connections: 1, pipelining: 1, bodyTimeout: 600_000, headersTimeout: 600_000 })
/** Blocks are cut at multiples of two hours: all data is in one, and none is in the future. */
const START_MS = 1_799_999_200_000 - (1_799_999_200_000 % 7_200_000) - 400 * 86_400_000

export async function runQueryBenchmark(
  options: QueryBenchmarkOptions,
  log: (line: string) => void,
): Promise<QueryTiming[]> {
  const fleet = new Fleet({ hosts: options.hosts, steps: options.steps, startMs: START_MS })
  log(`${fleet.series.length} series, ${fleet.sampleCount} samples`)
  const requests = await writeRequestsFile(fleet)
  const directory = await mkdtemp(join(tmpdir(), 'varve-query-benchmark-'))
  const servers: Server[] = []
  try {
    for (const name of options.servers) {
      const folder = await mkdtemp(join(directory, `${name}-`))
      const server = await startServer(name, folder)
      servers.push(server)
      const startedMs = performance.now()
      await ingest(server, requests)
      log(`${name}: ingested in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
    }
    // What was taken in a moment ago is searchable a second later in VictoriaMetrics.
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    const endSeconds = Math.floor((START_MS + options.steps * 15_000) / 1000)
    // All servers alike: caches fill, and what is compiled as it runs is compiled.
    for (let pass = 0; pass < options.warmUp; pass++) {
      for (const query of QUERIES) for (const server of servers) await ask(urlOf(query, server, endSeconds))
    }
    const timings: QueryTiming[] = []
    const turns = new Map(servers.filter(isVarve).map(({ name }) => [name, new LongestTurns()]))
    for (const query of QUERIES) {
      for (const server of servers) await turns.get(server.name)?.begin(server)
      const timing = await timeQuery(query, servers, endSeconds, options.rounds)
      timings.push(timing)
      log(lineOf(timing))
      for (const server of servers) await turns.get(server.name)?.end(server, query.name)
    }
    for (const server of servers.filter(isVarve)) {
      log(`${server.name}: ${await metricOf(server, 'varve_sealed_samples')} samples in block files`)
      log(`${server.name}: longest turns of the event loop, ms: ${turns.get(server.name)?.longest(3)}`)
      log(`${server.name}: ${await memoryOfBigQuery(server, endSeconds)}`)
    }
    for (const { name, pid } of servers) {
      const [now, peak] = await Promise.all([residentMemoryMiB(pid), peakMemoryMiB(pid)])
      log(`${name}: ${now.toFixed(0)} MiB resident, ${peak.toFixed(0)} MiB at most`)
    }
    for (const line of summary(timings)) log(line)
    return timings
  } finally {
    for (const server of servers) await server.kill()
    await rm(directory, { recursive: true, force: true })
  }
}

async function ingest(server: Server, requests: string): Promise<void> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }
  for await (const body of readRequests(requests)) {
    for (;;) {
      const answer = await request(`${server.url}/api/v1/write`, { method: 'POST', headers, body, dispatcher: AGENT })
      const text = await answer.body.text()
      if (answer.statusCode < 300) break
      if (answer.statusCode < 500)
        throw new Error(`${server.name} answered ${answer.statusCode}: ${text.slice(0, 300)}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** Where `query` is asked, at the end of the data. */
export function urlOf(query: BenchmarkQuery, server: Pick<Server, 'url'>, endSeconds: number): string {
  const base = `${server.url}/api/v1`
  const range = { start: String(endSeconds - 2 * 3_600), end: String(endSeconds) }
  if (query.path === 'label') return `${base}/label/${query.query}/values?${new URLSearchParams(range)}`
  if (query.path === 'series') return `${base}/series?${new URLSearchParams({ ...range, 'match[]': query.query })}`
  if (query.path === 'query')
    return `${base}/query?${new URLSearchParams({ query: query.query, time: String(endSeconds) })}`
  const start = String(endSeconds - (query.rangeSeconds ?? 3_600))
  const parameters = { query: query.query, start, end: String(endSeconds), step: String(query.stepSeconds ?? 60) }
  return `${base}/query_range?${new URLSearchParams(parameters)}`
}

async function ask(url: string): Promise<string> {
  const answer = await request(url, { dispatcher: AGENT })
  const text = await answer.body.text()
  if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}: ${text.slice(0, 300)}`)
  return text
}

async function timeQuery(
  query: BenchmarkQuery,
  servers: readonly Server[],
  endSeconds: number,
  rounds: number,
): Promise<QueryTiming> {
  const reference = servers.find(({ name }) => name === 'prometheus')
  const answers = new Map<string, string>()
  for (const server of servers) answers.set(server.name, await ask(urlOf(query, server, endSeconds)))
  const wanted = reference === undefined ? undefined : answers.get(reference.name)
  const differences: string[] = []
  for (const [name, text] of answers) {
    if (wanted === undefined || name === reference?.name) continue
    const countOnly = name === 'victoria-metrics' && query.differsInVictoriaMetrics === true
    const difference = differenceOf(text, wanted, countOnly)
    if (difference !== '') differences.push(`${name}: ${difference}`)
  }

  const times = new Map<string, number[]>(servers.map(({ name }) => [name, []]))
  // In turn, so that a slow moment of the machine hits all of them alike; and in another order each round, since whoever comes
  // after a server that still cleans up behind its answer is slower for it.
  const random = new FleetRandom(rounds)
  for (let round = 0; round < rounds; round++) {
    for (const server of shuffled(servers, random)) {
      const startedMs = performance.now()
      await ask(urlOf(query, server, endSeconds))
      times.get(server.name)?.push(performance.now() - startedMs)
    }
  }
  return {
    query: query.name,
    medianMs: new Map([...times].map(([name, list]) => [name, median(list)])),
    seriesCount: seriesOf([...answers.values()][0]).length,
    differences,
  }
}

function shuffled<T>(items: readonly T[], random: FleetRandom): T[] {
  const left = [...items]
  return items.map(() => left.splice(random.below(left.length), 1)[0])
}

interface AnsweredSeries {
  readonly metric?: Record<string, string>
  readonly value?: readonly [number, string]
  readonly values?: readonly (readonly [number, string])[]
}

function seriesOf(text: string): AnsweredSeries[] {
  const { data } = JSON.parse(text)
  return Array.isArray(data) ? data : data.result
}

function isVarve({ name }: Server): boolean {
  return name.startsWith('varve')
}

/** A metric of the server; those by namespace are added up. */
async function metricOf(server: Server, metric: string): Promise<number> {
  const text = await ask(`${server.url}/metrics`)
  const lines = text.split('\n').filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
  if (lines.length === 0) throw new Error(`${server.name} has no metric ${metric}`)
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/**
 * How long the event loop did not turn while each query was asked, as the server measures it itself: how late a timer of
 * 10 ms was at most.
 */
class LongestTurns {
  readonly #found: { query: string; ms: number }[] = []

  /** Each look begins the measurement anew. */
  async begin(server: Server): Promise<void> {
    await metricOf(server, 'varve_event_loop_delay_seconds_max')
  }

  async end(server: Server, query: string): Promise<void> {
    const seconds = await metricOf(server, 'varve_event_loop_delay_seconds_max')
    this.#found.push({ query, ms: seconds * 1000 })
  }

  longest(count: number): string {
    const sorted = [...this.#found].sort((a, b) => b.ms - a.ms).slice(0, count)
    return sorted.map(({ query, ms }) => `${ms.toFixed(1)} (${query})`).join(', ')
  }
}

/** The most memory that a rate of all series at a short step takes, above what the server had before. */
async function memoryOfBigQuery(server: Server, endSeconds: number): Promise<string> {
  const query = QUERIES.find(({ name }) => name === 'rate-by-dc-15s')
  if (query === undefined) throw new Error('the query rate-by-dc-15s is gone')
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  const before = await residentMemoryMiB(server.pid)
  await resetPeakMemory(server.pid)
  await ask(urlOf(query, server, endSeconds))
  const peak = await peakMemoryMiB(server.pid)
  return `${query.name} takes ${Math.max(0, peak - before).toFixed(0)} MiB above ${before.toFixed(0)} MiB`
}

/** Empty when the answers say the same: the same series, times, and values to nine digits. */
function differenceOf(text: string, wantedText: string, countOnly: boolean): string {
  const got = byLabels(seriesOf(text))
  const wanted = byLabels(seriesOf(wantedText))
  if (got.size !== wanted.size) return `${got.size} series, wanted ${wanted.size}`
  if (countOnly) return ''
  for (const [key, series] of wanted) {
    const other = got.get(key)
    if (other === undefined) return `no series ${key}`
    const a = samplesOf(series)
    const b = samplesOf(other)
    if (a.length !== b.length) return `${key}: ${b.length} samples, wanted ${a.length}`
    for (let i = 0; i < a.length; i++) {
      if (a[i][0] !== b[i][0] || !close(Number(a[i][1]), Number(b[i][1]))) return `${key}: ${b[i]}, wanted ${a[i]}`
    }
  }
  return ''
}

function byLabels(series: readonly AnsweredSeries[]): Map<string, AnsweredSeries> {
  return new Map(series.map((one) => [JSON.stringify(Object.entries(one.metric ?? one).sort()), one]))
}

function samplesOf(series: AnsweredSeries): readonly (readonly [number, string])[] {
  return series.values ?? (series.value === undefined ? [] : [series.value])
}

function close(a: number, b: number): boolean {
  return (
    a === b ||
    (Number.isNaN(a) && Number.isNaN(b)) ||
    Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b), 1e-3)
  )
}

function lineOf(timing: QueryTiming): string {
  const times = [...timing.medianMs].map(([name, ms]) => `${name} ${ms.toFixed(2)} ms`).join(', ')
  const differences = timing.differences.length === 0 ? '' : `; DIFFERENT: ${timing.differences.join('; ')}`
  return `servers/query/${timing.query}: ${times} (${timing.seriesCount} series)${differences}`
}

/** Geometric means over the queries that take VictoriaMetrics 2 ms or more, as ratios to Varve. */
function summary(timings: readonly QueryTiming[]): string[] {
  const lines: string[] = []
  for (const ours of ['varve', 'varve-typescript']) {
    for (const other of ['prometheus', 'victoria-metrics']) {
      const ratios = timings
        .filter(
          ({ medianMs }) => (medianMs.get('victoria-metrics') ?? 2) >= 2 && medianMs.has(ours) && medianMs.has(other),
        )
        .map(({ medianMs }) => (medianMs.get(other) as number) / (medianMs.get(ours) as number))
      if (ratios.length === 0) continue
      const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length)
      lines.push(
        `${other} / ${ours}: geometric mean ${mean.toFixed(2)}, least ${Math.min(...ratios).toFixed(2)} (${ratios.length} queries)`,
      )
    }
  }
  return lines
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1]
}
