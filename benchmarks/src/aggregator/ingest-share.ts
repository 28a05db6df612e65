/**
 * What rollups cost beside ingest over HTTP: a real coordinator takes remote write without rules, with ten mapping and ten rollup
 * rules, and without again, in one run. CPU is that of its whole process. Time is compressed: scrapes and windows come
 * faster than in life, with as many samples in a window (four) and series in a scrape.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileRuleStore } from '@varve/aggregator'
import { Coordinator } from '@varve/end-to-end'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { Agent, request } from 'undici'
import { cpuSeconds, residentMemoryMiB } from '../servers/servers.js'
import { encodeLabels, RequestEncoder, SAMPLES_PER_REQUEST } from '../servers/write-requests.js'

export interface IngestShareOptions {
  readonly seriesCount: number
  readonly scrapeMs: number
  readonly scrapesPerWindow: number
  /** Of each of the three phases. */
  readonly windowsPerPhase: number
  readonly native: 'require' | 'off'
}

export interface IngestShare {
  /** CPU seconds a phase: without rules, with them, without them again. */
  readonly cpuSeconds: readonly number[]
  /** What the rules add, over ingest without them. */
  readonly share: number
  readonly samplesPerCpuSecond: number
  readonly eventLoopLagMsMax: number
  readonly memoryMiB: number
}

const METRICS = 10
const JOBS = 20
const HEADERS = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }
const CONNECTIONS = 4

export async function measureIngestShare(
  options: IngestShareOptions,
  log: (line: string) => void,
): Promise<IngestShare> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-ingest-share-'))
  const rules = join(directory, 'rules')
  const server = await Coordinator.start({
    dataDirectory: join(directory, 'data'),
    flags: ['--retention', 'forever', '--self-scrape', 'off', '--rules', rules, '--memory', '4GiB'],
    env: { VARVE_NATIVE: options.native },
  })
  const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 })
  try {
    const { scrapeMs, scrapesPerWindow, windowsPerPhase } = options
    const resolutionMs = scrapeMs * scrapesPerWindow
    if (resolutionMs % 1000 !== 0) throw new Error(`windows of ${resolutionMs} ms: policies have whole seconds`)
    const sender = new Sender(server.url, agent, options.seriesCount)
    const store = new FileRuleStore({ files: nodeEnv().files, path: rules })
    const phase = async (windows: number): Promise<number> => {
      await nextMultiple(resolutionMs)
      const before = await cpuSeconds(server.pid)
      for (let scrape = 0; scrape < windows * scrapesPerWindow; scrape++) {
        await nextMultiple(scrapeMs)
        await sender.scrape()
      }
      await nextMultiple(resolutionMs)
      return (await cpuSeconds(server.pid)) - before
    }
    // Series are made known, code is compiled.
    await phase(8)
    const first = await phase(windowsPerPhase)
    log(`without rules: ${first.toFixed(2)} s`)
    for (let i = 0; i < METRICS; i++) await putRules(store, i, `${resolutionMs / 1000}s:1h`)
    // The first windows match series, and their code is not compiled yet.
    await phase(14)
    const lagBefore = await lagMsMax(server.url)
    const second = await phase(windowsPerPhase)
    const eventLoopLagMsMax = await lagMsMax(server.url)
    log(
      `with rules: ${second.toFixed(2)} s (event loop late by ${eventLoopLagMsMax.toFixed(1)} ms, ${lagBefore.toFixed(1)} ms before)`,
    )
    const samplesPerWindow = await checkWindow(server.url, resolutionMs)
    log(`${samplesPerWindow} samples in a window`)
    const memoryMiB = await residentMemoryMiB(server.pid)
    for (let i = 0; i < METRICS; i++) {
      await store.delete({ kind: 'mapping', name: `m${i}` })
      await store.delete({ kind: 'rollup', name: `r${i}` })
    }
    await phase(2)
    const third = await phase(windowsPerPhase)
    log(`without rules again: ${third.toFixed(2)} s`)
    const without = (first + third) / 2
    return {
      cpuSeconds: [first, second, third],
      share: (second - without) / without,
      samplesPerCpuSecond: (options.seriesCount * scrapesPerWindow * windowsPerPhase) / without,
      eventLoopLagMsMax,
      memoryMiB,
    }
  } finally {
    await agent.close()
    await server.kill()
    await rm(directory, { recursive: true, force: true })
  }
}

async function putRules(store: FileRuleStore, i: number, policy: string): Promise<void> {
  const name = metricName(i)
  const policies = [policy]
  await store.put({ kind: 'mapping', name: `m${i}` }, JSON.stringify({ match: name, policies }))
  const rollup = { match: name, name: `${name}:by_job`, by: ['job'], aggregate: 'sum', policies }
  await store.put({ kind: 'rollup', name: `r${i}` }, JSON.stringify(rollup))
}

function metricName(i: number): string {
  return i < METRICS / 2 ? `requests_${i}_total` : `level_${i}`
}

/** Sends one sample of each series at a time. Counters grow unevenly, some gauges stand still for a while. */
class Sender {
  readonly #url: string
  readonly #agent: Agent
  readonly #encoder: RequestEncoder
  readonly #values: Float64Array
  readonly #series: Uint32Array
  readonly #times = new Float64Array(SAMPLES_PER_REQUEST)
  #random = 1

  constructor(url: string, agent: Agent, seriesCount: number) {
    this.#url = url
    this.#agent = agent
    this.#values = new Float64Array(seriesCount)
    this.#series = Uint32Array.from({ length: seriesCount }, (_, i) => i)
    const labels = Array.from({ length: seriesCount }, (_, i) => {
      const host = Math.floor(i / METRICS)
      const flat = ['__name__', metricName(i % METRICS), 'instance', `host-${host}`, 'job', `job-${host % JOBS}`]
      return encodeLabels([...flat, 'region', `region-${i % 3}`, 'version', '1.2.3'])
    })
    this.#encoder = new RequestEncoder(labels)
  }

  async scrape(): Promise<void> {
    const nowMs = Date.now()
    const values = this.#values
    this.#times.fill(nowMs)
    for (let i = 0; i < values.length; i++) {
      const drawn = this.#next()
      if (i % METRICS < METRICS / 2) values[i] += drawn % 50
      else if (drawn % 4 === 0) values[i] = (drawn % 1000) / 4
    }
    let wave: Promise<void>[] = []
    for (let from = 0; from < values.length; from += SAMPLES_PER_REQUEST) {
      const to = Math.min(values.length, from + SAMPLES_PER_REQUEST)
      const body = this.#encoder.encode(
        this.#series.subarray(from, to),
        this.#times,
        values.subarray(from, to),
        to - from,
      )
      wave.push(this.#post(body))
      if (wave.length < CONNECTIONS) continue
      await Promise.all(wave)
      wave = []
    }
    await Promise.all(wave)
  }

  async #post(body: Uint8Array): Promise<void> {
    const answer = await request(`${this.#url}/api/v1/write`, {
      method: 'POST',
      headers: HEADERS,
      body,
      dispatcher: this.#agent,
    })
    const text = await answer.body.text()
    if (answer.statusCode >= 300) throw new Error(`write was answered ${answer.statusCode}: ${text.slice(0, 300)}`)
  }

  #next(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0
    return this.#random >>> 8
  }
}

/** The newest window that is complete counts what there is in it; returns how many samples that is. */
async function checkWindow(url: string, resolutionMs: number): Promise<number> {
  const timeMs = Math.floor(Date.now() / resolutionMs) * resolutionMs - 2 * resolutionMs
  const query = `sum(count_over_time({__name__=~"requests_._total|level_."}[${resolutionMs}ms]))`
  const ask = async (namespace: string) => {
    const parameters = new URLSearchParams({ query, time: String(timeMs / 1000), namespace })
    const answer = await request(`${url}/api/v1/query?${parameters}`)
    const { data } = (await answer.body.json()) as { data: { result: { value: [number, string] }[] } }
    return Number(data?.result[0]?.value[1])
  }
  const [got, wanted] = [await ask(`${resolutionMs / 1000}s_1h`), await ask('default')]
  if (got !== wanted) throw new Error(`the windows count ${got} samples, the store has ${wanted}`)
  return got
}

async function lagMsMax(url: string): Promise<number> {
  const answer = await request(`${url}/metrics`)
  const text = await answer.body.text()
  return Number(/^varve_event_loop_delay_seconds_max (\S+)/m.exec(text)?.[1] ?? Number.NaN) * 1000
}

/** A timer may fire a moment early: what is nearly over counts as over. */
function nextMultiple(ofMs: number): Promise<void> {
  const nowMs = Date.now()
  const nextMs = Math.ceil((nowMs + ofMs / 4) / ofMs) * ofMs
  return new Promise((resolve) => setTimeout(resolve, nextMs - nowMs + 2))
}
