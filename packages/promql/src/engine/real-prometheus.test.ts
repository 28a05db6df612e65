/**
 * The engine beside a real Prometheus (Debian's 2.42) on generated data and queries.
 *
 * Both read the same samples: ours from memory, Prometheus' from blocks that promtool makes. The queries stay within what the
 * two versions share; docs/promql-differences.md says what that leaves out, and why.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Labels } from '@varve/tsdb-core/model'
import { MemoryQueryable } from '@varve/tsdb-core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PromqlError } from '../errors.js'
import { Engine } from './engine.js'
import { Dice, generateQuery } from './generated.js'
import type { QueryResult } from './result.js'

const SEED = Number(process.env.SEED ?? 20261122)
const QUERY_COUNT = 700
const installed = existsSync('/usr/bin/prometheus') && existsSync('/usr/bin/promtool')
/** Samples stand beside the full seconds, so that it does not matter which border of a window is open. */
const START_MS = 1_700_000_000_000 - (1_700_000_000_000 % 3_600_000) + 7
const STEP_MS = 15_000
const STEPS = 320
/** What 2.42 does not have or does otherwise; the reasons are in docs/promql-differences.md. */
const OTHERWISE_IN_242 = [
  /mad_over_time|first_over_time|ts_of_|limitk/,
  /\b(rate|increase)\((load|\()/,
  /\[\w+:.*\[\w+:/,
  /(topk|bottomk)/,
  /(predict_linear|quantile_over_time)\(.*@/,
  /(stddev|stdvar|hour).*(quantile_over_time\(scalar|sqrt)/,
  /(changes|resets|count_values).*(predict_linear|deriv|quantile|avg|stddev|stdvar)/,
]

interface Answer {
  readonly status: string
  readonly error?: string
  readonly data?: { result: { metric: Record<string, string>; values: [number, string][] }[] }
}

describe.skipIf(!installed)(`beside Prometheus${installed ? '' : ' (skipped: it is not installed)'}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'varve-promql-'))
  const store = new MemoryQueryable()
  let prometheus: ChildProcess
  let url = ''

  beforeAll(async () => {
    writeFileSync(join(folder, 'data.om'), makeData(store, new Dice(SEED)))
    mkdirSync(join(folder, 'data'))
    execFileSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', 'data.om', 'data'], {
      cwd: folder,
      stdio: 'pipe',
    })
    writeFileSync(join(folder, 'prometheus.yml'), '')
    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    const flags = [`--web.listen-address=127.0.0.1:${port}`, '--config.file=prometheus.yml', '--storage.tsdb.path=data']
    prometheus = spawn('prometheus', [...flags, '--storage.tsdb.retention.time=100y'], { cwd: folder, stdio: 'ignore' })
    await waitFor(async () => (await fetch(`${url}/-/ready`)).ok)
  }, 60_000)
  afterAll(() => {
    prometheus?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  it(`gives the same answers (SEED=${SEED})`, async () => {
    const engine = new Engine()
    const dice = new Dice(SEED + 1)
    let answered = 0
    for (let i = 0; i < QUERY_COUNT; i++) {
      const query = generateQuery(dice).replaceAll('@ 1800', `@ ${START_MS / 1000 + 1803 - 0.007}`)
      if (OTHERWISE_IN_242.some((pattern) => pattern.test(query))) continue
      const stepMs = dice.pick([15_000, 60_000, 105_000])
      // Not a multiple of any subquery's step, for the same reason.
      const startMs = START_MS - 7 + 1_203_000 + 15_000 * dice.below(120)
      const endMs = startMs + 7 * stepMs
      const parameters = { query, start: `${startMs / 1000}`, end: `${endMs / 1000}`, step: `${stepMs / 1000}` }
      const response = await fetch(`${url}/api/v1/query_range?${new URLSearchParams(parameters)}`)
      const theirs = (await response.json()) as Answer
      const where = `SEED=${SEED} query ${i}: ${query} ${startMs}..${endMs} step ${stepMs}`
      let ours: QueryResult | PromqlError
      try {
        ours = await engine.rangeQuery({ queryable: store, query, startMs, endMs, stepMs })
      } catch (error) {
        if (!(error instanceof PromqlError)) throw error
        ours = error
      }
      if (theirs.status === 'error') {
        // Names are removed late in 3.x, so some series that met too early in 2.42 do not meet.
        if (theirs.error?.includes('same labelset')) continue
        expect(ours, `${where}: ${theirs.error}`).toBeInstanceOf(PromqlError)
        continue
      }
      if (ours instanceof PromqlError) throw new Error(`${where}: ${ours.message}`, { cause: ours })
      const want = new Map<string, number>()
      for (const { metric, values } of theirs.data!.result) {
        const labels = Labels.from(metric).toString()
        for (const [seconds, value] of values) want.set(`${labels}@${Math.round(seconds * 1000)}`, numberOf(value))
      }
      const got = new Map<string, number>()
      for (let s = 0; s < ours.series.count; s++) {
        const labels = ours.series.labels(s).toString()
        ours.series.forEachSample(s, (timeMs, value) => {
          got.set(`${labels}@${timeMs}`, value)
        })
      }
      expect([...got.keys()].sort(), where).toEqual([...want.keys()].sort())
      for (const [at, value] of want) {
        expect(isClose(got.get(at)!, value), `${where} at ${at}: ours ${got.get(at)}, theirs ${value}`).toBe(true)
      }
      answered++
    }
    expect(answered).toBeGreaterThan(QUERY_COUNT / 3)
  }, 120_000)
})

/** Fills the store and returns the same samples as OpenMetrics text. */
function makeData(store: MemoryQueryable, dice: Dice): string {
  const families = new Map<string, string[]>()
  for (const name of ['requests_total', 'errors_total', 'load']) {
    const lines: string[] = []
    families.set(name, lines)
    for (let instance = 0; instance < 3; instance++) {
      const labels = Labels.from({
        __name__: name,
        instance: `i${instance}`,
        job: instance % 2 === 0 ? 'api' : 'web',
        ...(instance === 1 && { zone: 'a' }),
      })
      const text = [...labels].filter(([label]) => label !== '__name__').map(([label, value]) => `${label}="${value}"`)
      // Counters stay far above zero, where 2.42 and 3.x extrapolate alike.
      let value = 1e6 + dice.below(1e5)
      for (let i = 0; i < STEPS; i++) {
        if (dice.chance(0.03)) i += dice.below(30)
        const timeMs = START_MS + i * STEP_MS
        if (name === 'load') value = dice.below(4000) / 8 - 100
        else value = dice.chance(0.01) ? 5e5 + dice.below(1e5) : value + dice.below(500)
        store.append(labels, timeMs, value)
        lines.push(`${name}{${text.join(',')}} ${value} ${timeMs / 1000}`)
      }
    }
  }
  let document = ''
  for (const [name, lines] of families) {
    const family = name.replace(/_total$/, '')
    document += `# TYPE ${family} ${name === family ? 'gauge' : 'counter'}\n${lines.join('\n')}\n`
  }
  return `${document}# EOF\n`
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)
}

/** 2.42 adds up without compensation in places. */
function isClose(a: number, b: number): boolean {
  if (Object.is(a, b) || a === b) return true
  return Math.abs(a - b) <= 1e-8 * Math.max(Math.abs(a), Math.abs(b), 1)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function waitFor(ready: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await ready().catch(() => false)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('Prometheus did not become ready')
}
