/** `varve bench`: how fast this machine takes samples in and answers, over HTTP, in a store that is thrown away. */
import { nativeStatus } from '@varve/native'
import { Labels } from '@varve/tsdb-core/model'
import { parseConfig } from '../../config/parse-config.js'
import { formatSize } from '../../config/units.js'
import { Coordinator } from '../../coordinator.js'
import { HttpServer } from '../../env/node/http-server.js'
import { CoordinatorError } from '../../errors.js'
import { SILENT } from '../../logging/logger.js'
import { ProtobufWriter } from '../../proto/protobuf-writer.js'
import { encodeTimeSeries } from '../../remote-read/sampled-response.js'
import { encodeSnappy } from '../../snappy/index.js'
import type { Arguments, Command } from '../command.js'
import { EXIT, type Program } from '../program.js'
import { Progress } from '../progress.js'
import { tableText } from '../table.js'

const SERIES_PER_REQUEST = 2_000
const STEP_MS = 15_000
const QUERY_RUNS = 5
const TIMEOUT_MS = 120_000

export const benchCommand: Command = {
  name: 'bench',
  summary: 'measure writes and queries on this machine, in a store that is thrown away',
  usage: ['[--series 10000] [--scrapes 40]'],
  positionalCountMax: 0,
  flags: [
    { name: 'series', type: 'string', value: '10000', help: 'series of the made-up fleet' },
    { name: 'scrapes', type: 'string', value: '40', help: 'samples of each, 15 s apart' },
    { name: 'data-dir', type: 'string', value: 'DIR', help: 'where the store lies meanwhile (default ./varve-bench)' },
  ],
  more: `Client and server share this process, so the figures are lower bounds. "npm run bench" in the sources compares with other
stores on the same data.`,
  run,
}

async function run(given: Arguments, program: Program): Promise<number> {
  const seriesCount = whole(given, 'series', 10_000)
  const scrapeCount = whole(given, 'scrapes', 40)
  const dataDirectory = program.resolvePath(given.text('data-dir') ?? './varve-bench')
  const { files } = program.env
  if ((await files.stat(dataDirectory)) !== null) {
    throw new CoordinatorError('INVALID_ARGUMENT', `${dataDirectory} is there already: --data-dir names another place`)
  }
  const source = { path: ['server', 'listen'], value: '127.0.0.1:0', source: 'bench' }
  const config = parseConfig('self_scrape: off\nstorage: { retention: forever, memory: 4GiB }', 'bench', [source])
  const coordinator = await Coordinator.start({
    config,
    env: program.env,
    logger: SILENT,
    runtime: program.runtime,
    listen: (options) => HttpServer.listen(options),
    passwords: { matches: () => Promise.resolve(false) },
    http: program.http,
    readText: (path) => program.readText(path),
    dataDirectory,
    rulesPath: `${dataDirectory}/rules`,
    readConfig: async () => config,
  })
  try {
    const startMs = Math.floor(program.env.clock.wallMs() / 1000) * 1000 - scrapeCount * STEP_MS
    const writes = await measureWrites(program, coordinator.url, { seriesCount, scrapeCount, startMs })
    const queries = await measureQueries(program, coordinator.url, startMs, startMs + scrapeCount * STEP_MS)
    const native = nativeStatus()
    program.stdout.write(`native module: ${native.loaded ? 'yes' : 'no'}, ${program.runtime.platform}\n\n`)
    program.stdout.write(tableText(['WHAT', 'FIGURE'], [...writes, ...queries]))
  } finally {
    await coordinator.stop()
    await program.http.close()
    await files.removeTree(dataDirectory)
  }
  return EXIT.done
}

interface Fleet {
  readonly seriesCount: number
  readonly scrapeCount: number
  readonly startMs: number
}

async function measureWrites(program: Program, url: string, fleet: Fleet): Promise<string[][]> {
  const { clock } = program.env
  const progress = new Progress({ output: program.stderr, clock, what: 'samples' })
  const latencies: number[] = []
  let sizeBytes = 0
  let spentMs = 0
  for (let scrape = 0; scrape < fleet.scrapeCount; scrape++) {
    for (let from = 0; from < fleet.seriesCount; from += SERIES_PER_REQUEST) {
      const body = requestBody(fleet, scrape, from, Math.min(fleet.seriesCount, from + SERIES_PER_REQUEST))
      sizeBytes += body.length
      const startedMs = clock.monotonicMs()
      const response = await program.http.request({
        method: 'POST',
        url: `${url}/api/v1/write`,
        headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
        body,
        timeoutMs: TIMEOUT_MS,
      })
      const text = await response.text()
      if (response.status !== 204)
        throw new CoordinatorError('UNAVAILABLE', `a write was answered ${response.status}: ${text}`)
      latencies.push(clock.monotonicMs() - startedMs)
      spentMs += latencies[latencies.length - 1]
    }
    progress.show((scrape + 1) * fleet.seriesCount, fleet.scrapeCount * fleet.seriesCount)
  }
  const samples = fleet.scrapeCount * fleet.seriesCount
  progress.end(samples)
  return [
    [
      'samples written, each on disk',
      `${samples.toLocaleString('en-US')} in ${latencies.length} requests, ${formatSize(sizeBytes)}`,
    ],
    ['samples a second, one sender', Math.round((samples / spentMs) * 1000).toLocaleString('en-US')],
    ['a write, p50 / p99', `${at(latencies, 0.5).toFixed(1)} / ${at(latencies, 0.99).toFixed(1)} ms`],
  ]
}

async function measureQueries(program: Program, url: string, startMs: number, endMs: number): Promise<string[][]> {
  const { clock } = program.env
  const rows: string[][] = []
  for (const query of [
    'sum(rate(bench_requests_total[1m]))',
    'sum by (host) (bench_requests_total)',
    'topk(5, bench_requests_total)',
  ]) {
    const latencies: number[] = []
    for (let run = 0; run < QUERY_RUNS; run++) {
      const parameters = new URLSearchParams({
        query,
        start: String(startMs / 1000),
        end: String(endMs / 1000),
        step: '15',
      })
      const startedMs = clock.monotonicMs()
      const response = await program.http.request({
        method: 'GET',
        url: `${url}/api/v1/query_range?${parameters}`,
        timeoutMs: TIMEOUT_MS,
      })
      await response.discard()
      if (response.status !== 200) throw new CoordinatorError('UNAVAILABLE', `a query was answered ${response.status}`)
      latencies.push(clock.monotonicMs() - startedMs)
    }
    rows.push([query, `${at(latencies, 0.5).toFixed(1)} ms`])
  }
  return rows
}

function requestBody({ startMs }: Fleet, scrape: number, from: number, to: number): Uint8Array {
  const writer = new ProtobufWriter()
  for (let i = from; i < to; i++) {
    const labels = Labels.from({
      __name__: 'bench_requests_total',
      host: `host-${i % 200}`,
      job: 'bench',
      path: `/api/${Math.floor(i / 200)}`,
    })
    const timestampsMs = Float64Array.of(startMs + scrape * STEP_MS)
    const values = Float64Array.of(scrape * (1 + (i % 17)))
    writer.bytes(1, encodeTimeSeries({ labels, timestampsMs, values, histogramAt: () => undefined }, labels).bytes)
  }
  return encodeSnappy(writer.finish())
}

function at(values: number[], quantile: number): number {
  values.sort((a, b) => a - b)
  return values[Math.min(values.length - 1, Math.floor(values.length * quantile))] ?? NaN
}

function whole(given: Arguments, flag: string, absent: number): number {
  const text = given.text(flag)
  if (text === undefined) return absent
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new CoordinatorError('INVALID_ARGUMENT', `--${flag} ${JSON.stringify(text)}: expected a whole number`)
  return Number(text)
}
