/**
 * Generated queries, asked of a real Prometheus too, over the same data.
 *
 * Debian's Prometheus 2.42 is the other side: windows were closed on the left then, so no sample and no step of a subquery
 * lies on a window's border here. Where the two still differ, docs/promql-differences.md says why; `EXPLAINED` names those.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Labels } from '@varve/tsdb-core/model'
import { MemoryQueryable, STALE } from '@varve/tsdb-core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PromqlError } from '../errors.js'
import { formatFloat } from '../parser/go-text.js'
import type { Answer } from '../scripts/answer.js'
import { answerOf, EngineTarget } from '../scripts/engine-target.js'
import type { LoadSeries } from '../scripts/load.js'
import { parseFloatText } from '../scripts/series-notation.js'
import { generatedSeries } from '../testing/generated-data.js'
import { QueryGenerator } from '../testing/generated-query.js'
import { SeededRandom } from '../testing/random.js'
import { Engine } from './engine.js'

const SEED = Number(process.env.SEED ?? 20261122)
const QUERIES = Number(process.env.QUERIES ?? 800)
const START_MS = 1_811_000
const STEP_MS = 60_000
const END_MS = START_MS + 5 * STEP_MS
const TOLERANCE = 1e-9

/** Differences that docs/promql-differences.md explains. */
const EXPLAINED: readonly { readonly why: string; readonly query: RegExp }[] = [
  { why: 'atan2 kept the metric name before 2.47', query: /atan2/ },
  { why: 'the deviation of a group with NaN or Inf was 0', query: /std(?:dev|var)(?: by| without| \()/ },
  { why: 'a filter between vectors had lost the name already', query: /\) (?:[!=]=|[<>]=?) (?:on|ignoring|\()/ },
  { why: 'borders of nested subqueries coincide', query: /:\w+\].*:\w+\]/ },
  { why: 'the last digit of a computed value decides', query: /%|sin\(/ },
]

const installed = ['prometheus', 'promtool'].every((name) => spawnSync(name, ['--version']).status === 0)

describe.skipIf(!installed)(
  `generated queries, as Prometheus answers them (SEED=${SEED})${installed ? '' : ' (skipped: prometheus and promtool are not installed)'}`,
  () => {
    const random = new SeededRandom(SEED)
    const data = generatedSeries(random, {
      startMs: 0,
      endMs: 3_000_000,
      nativeHistograms: false,
      specialValues: false,
      deepResets: false,
    })
    const folder = mkdtempSync(join(tmpdir(), 'varve-prometheus-'))
    let url = ''
    let stop = () => {}

    beforeAll(async () => {
      const port = await freePort()
      url = `http://127.0.0.1:${port}/api/v1`
      stop = startPrometheus(folder, data, port)
      await ready(`http://127.0.0.1:${port}/-/ready`)
    }, 180_000)

    afterAll(() => {
      stop()
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    })

    test('the answers are the same', { timeout: 300_000 }, async () => {
      const queryable = new MemoryQueryable()
      await new EngineTarget(queryable, STALE).load(data)
      const engine = new Engine()
      const generator = new QueryGenerator(random, { nativeHistograms: false, classicOnly: true, orderFree: true })
      const problems: string[] = []
      for (let i = 0; i < QUERIES; i++) {
        const query = generator.vector(3)
        if (EXPLAINED.some((one) => one.query.test(query))) continue
        const theirs = await askPrometheus(url, query)
        const ours = await ask(() =>
          engine.rangeQuery({ queryable, query, startMs: START_MS, endMs: END_MS, stepMs: STEP_MS }),
        )
        const problem = compare(ours, theirs)
        if (problem) problems.push(`${query}\n  ${problem}`)
      }
      expect(problems).toEqual([])
    })
  },
)

function startPrometheus(folder: string, data: readonly LoadSeries[], port: number): () => void {
  const samples = data.flatMap(({ labels, samples: own }) => {
    const rest = [...labels].filter(([name]) => name !== '__name__').map(([name, value]) => `${name}="${value}"`)
    return own.map(
      ({ timeMs, value }) => `${labels.metricName}{${rest.join(',')}} ${formatFloat(value!)} ${timeMs / 1000}`,
    )
  })
  writeFileSync(join(folder, 'data.om'), `${samples.join('\n')}\n# EOF\n`)
  writeFileSync(join(folder, 'prometheus.yml'), 'scrape_configs: []\n')
  const tsdb = join(folder, 'tsdb')
  mkdirSync(tsdb)
  execFileSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'data.om'), tsdb], {
    stdio: 'ignore',
  })
  const server = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${tsdb}`,
      '--storage.tsdb.retention.time=100y',
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  )
  return () => void server.kill('SIGKILL')
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function ready(url: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`${url} did not become ready in 30 s`)
}

type Samples = Map<string, number>

async function askPrometheus(url: string, query: string): Promise<Samples | string> {
  const body = new URLSearchParams({
    query,
    start: String(START_MS / 1000),
    end: String(END_MS / 1000),
    step: String(STEP_MS / 1000),
  })
  const answer = await fetch(`${url}/query_range`, { method: 'POST', body })
  const { error, data } = (await answer.json()) as {
    error?: string
    data?: { result: { metric: Record<string, string>; values: [number, string][] }[] }
  }
  if (error !== undefined || !data) return error ?? 'no data'
  const samples: Samples = new Map()
  for (const { metric, values } of data.result) {
    const labels = Labels.from(metric).toString()
    for (const [seconds, text] of values) samples.set(`${labels} @${Math.round(seconds * 1000)}`, parseFloatText(text))
  }
  return samples
}

async function ask(run: () => ReturnType<Engine['rangeQuery']>): Promise<Samples | string> {
  let answer: Answer
  try {
    answer = answerOf(await run())
  } catch (error) {
    if (error instanceof PromqlError) return error.message
    throw error
  }
  const samples: Samples = new Map()
  for (const { labels, samples: own } of answer.series) {
    for (const { timeMs, value } of own) samples.set(`${labels} @${timeMs}`, value)
  }
  return samples
}

function compare(ours: Samples | string, theirs: Samples | string): string | undefined {
  if (typeof ours === 'string' || typeof theirs === 'string') {
    return typeof ours === typeof theirs ? undefined : `ours: ${describeSide(ours)}; theirs: ${describeSide(theirs)}`
  }
  for (const [key, value] of theirs) {
    const own = ours.get(key)
    if (own === undefined) return `${key} is missing, theirs is ${value}`
    if (!near(own, value)) return `${key} is ${own}, theirs is ${value}`
  }
  for (const [key, value] of ours) if (!theirs.has(key)) return `${key} is ${value}, theirs is missing`
  return undefined
}

function describeSide(samples: Samples | string): string {
  return typeof samples === 'string' ? `error ${samples}` : `${samples.size} samples`
}

function near(a: number, b: number): boolean {
  if (Object.is(a, b) || a === b) return true
  const distance = Math.abs(a - b)
  return distance <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b)) || distance <= TOLERANCE * 10
}
