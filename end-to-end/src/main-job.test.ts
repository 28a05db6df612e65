/**
 * The main job on real parts: a real Prometheus writes, rules come from a real etcd while everything runs, and raw and
 * rolled-up series come back through PromQL; with a coordinator that is killed and an etcd that goes away meanwhile.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Coordinator } from './coordinator.js'
import { Etcd } from './etcd.js'
import { Load } from './load.js'
import { waitFor } from './process.js'
import { Prometheus } from './prometheus.js'
import { getJson, instantQuery, type SeriesAnswer } from './query-client.js'

const RESOLUTION_MS = 2_000
const POLICY = '2s:1d'
const NAMESPACE = '2s_1d'

let directory: string
let etcd: Etcd
let coordinator: Coordinator
let prometheus: Prometheus
let load: Load

const dataDirectory = () => join(directory, 'varve')
const flags = () => ['--etcd', etcd.endpoint, '--enable-admin', '--self-scrape', 'off']

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-main-job-'))
  await Promise.all(['etcd', 'prometheus'].map((name) => mkdir(join(directory, name))))
  etcd = await Etcd.start(join(directory, 'etcd'))
  coordinator = await Coordinator.start({ dataDirectory: dataDirectory(), flags: flags() })
  prometheus = await Prometheus.start({
    directory: join(directory, 'prometheus'),
    config: `
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ['{self}']}]
  - job_name: varve
    static_configs: [{targets: ['127.0.0.1:${coordinator.port}']}]
remote_write:
  - url: ${coordinator.url}/api/v1/write
    queue_config: {batch_send_deadline: 200ms, min_backoff: 30ms, max_backoff: 500ms}
remote_read:
  - url: ${coordinator.url}/api/v1/read
    read_recent: true
`,
  })
  load = new Load(coordinator.url)
}, 180_000)

afterAll(async () => {
  await load?.stop()
  await prometheus?.kill()
  await coordinator?.kill()
  await etcd?.kill()
  await rm(directory, { recursive: true, force: true })
})

interface RulesAnswer {
  readonly data: { readonly rules: readonly { where: string; state: string; problems: readonly unknown[] }[] }
}

/** All samples of the series that `selector` names, of the last ten minutes, from one namespace. */
async function samplesOf(selector: string, namespace = 'default'): Promise<SeriesAnswer[]> {
  const parameters = { query: `${selector}[10m]`, time: String(Date.now() / 1000 + 1), namespace }
  return (await getJson(`${coordinator.url}/api/v1/query`, parameters)).data.result
}

/** The last raw value of each worker in the window `(endMs - resolution, endMs]`, summed over a group. */
function gaugeSum(group: string, endMs: number): number | undefined {
  let sum: number | undefined
  for (const worker of load.workers.filter((name) => Load.group(name) === group)) {
    const inWindow = load
      .acknowledged('load_queue_length', worker)
      .filter(({ timestampMs }) => timestampMs > endMs - RESOLUTION_MS && timestampMs <= endMs)
    if (inWindow.length > 0) sum = (sum ?? 0) + inWindow[inWindow.length - 1].value
  }
  return sum
}

/** Growth of a group's counters in `(startMs, endMs]`, resets followed as Prometheus does. */
function counterGrowth(group: string, startMs: number, endMs: number): number {
  let growth = 0
  for (const worker of load.workers.filter((name) => Load.group(name) === group)) {
    const samples = load.acknowledged('load_requests_total', worker)
    for (let i = 1; i < samples.length; i++) {
      if (samples[i].timestampMs <= startMs || samples[i].timestampMs > endMs) continue
      growth += samples[i].value >= samples[i - 1].value ? samples[i].value - samples[i - 1].value : samples[i].value
    }
  }
  return growth
}

/** Ends of the windows in `[firstEndMs, lastEndMs]` that have a sample of the group: each must have an output. */
function windowsWithSamples(metric: string, group: string, firstEndMs: number, lastEndMs: number): number[] {
  const ends = new Set<number>()
  for (const worker of load.workers.filter((name) => Load.group(name) === group)) {
    for (const { timestampMs } of load.acknowledged(metric, worker)) {
      const endMs = Math.ceil(timestampMs / RESOLUTION_MS) * RESOLUTION_MS
      if (endMs >= firstEndMs && endMs <= lastEndMs) ends.add(endMs)
    }
  }
  return [...ends].sort((a, b) => a - b)
}

/** One output for each window that had samples, at its end, equal to the recomputation: none missing, none twice. */
function expectEveryWindow(
  metric: string,
  outputs: readonly SeriesAnswer[],
  value: (group: string, endMs: number) => number | undefined,
): void {
  expect(outputs.map((series) => series.metric.group).sort()).toEqual(['even', 'odd'])
  for (const output of outputs) {
    const { group } = output.metric
    const values = output.values ?? []
    expect(values.length).toBeGreaterThan(1)
    const ends = values.map(([seconds]) => Math.round(seconds * 1000))
    expect(ends).toEqual(windowsWithSamples(metric, group, ends[0], ends[ends.length - 1]))
    values.forEach(([, text], i) => {
      expect(Number(text), `${output.metric.__name__} of ${group} at ${ends[i]}`).toBeCloseTo(
        value(group, ends[i]) ?? Number.NaN,
        6,
      )
    })
  }
}

async function lastWindowMs(selector: string): Promise<number> {
  const outputs = await samplesOf(selector, NAMESPACE)
  return Math.max(0, ...outputs.map(({ values = [] }) => Math.round((values.at(-1)?.[0] ?? 0) * 1000)))
}

describe('raw samples', { timeout: 180_000 }, () => {
  it('of a real Prometheus are queryable and equal its own', async () => {
    await waitFor('up of both jobs', 20_000, async () => (await instantQuery(coordinator.url, 'up == 1')).length === 2)
    const time = Date.now() / 1000
    const query = 'sum by (job) (count_over_time(up[10s]))'
    const answer = async (url: string) => {
      const series = await instantQuery(url, query, time)
      return series.map(({ metric, value }) => `${metric.job} ${value?.[1]}`).sort()
    }
    let sides: unknown[] = []
    await waitFor('the same samples on both sides', 20_000, async () => {
      sides = await Promise.all([answer(coordinator.url), answer(`http://${prometheus.address}`)])
      return JSON.stringify(sides[0]) === JSON.stringify(sides[1]) && (sides[0] as string[]).length === 2
    }).catch((error) => {
      throw new Error(`${error.message}: ${JSON.stringify(sides)}`)
    })
  })

  it('come back to Prometheus through remote read', async () => {
    await waitFor('a series that only Varve has', 20_000, async () => {
      const answer = await instantQuery(`http://${prometheus.address}`, 'count(load_requests_total)')
      return answer[0]?.value?.[1] === String(load.workers.length)
    })
  })
})

describe('rules put into etcd while everything runs', { timeout: 300_000 }, () => {
  it('a mapping rule keeps the same series at its policy', async () => {
    const rule = { match: 'load_queue_length', policies: [POLICY], aggregations: ['last', 'max'] }
    await etcd.ctl('put', '/varve/rules/mapping/queue', JSON.stringify(rule))
    await waitFor('mapped windows', 90_000, async () => {
      const mapped = await samplesOf('load_queue_length', NAMESPACE)
      return mapped.length === load.workers.length && mapped.every(({ values = [] }) => values.length >= 2)
    })
    for (const { metric, values = [] } of await samplesOf('load_queue_length', NAMESPACE)) {
      for (const [seconds, text] of values) {
        const endMs = Math.round(seconds * 1000)
        const raw = load
          .acknowledged('load_queue_length', metric.worker)
          .filter(({ timestampMs }) => timestampMs > endMs - RESOLUTION_MS && timestampMs <= endMs)
        expect(Number(text)).toBe(raw.at(-1)?.value)
      }
    }
  })

  it('rollup rules make new series that equal the same aggregation of raw data', async () => {
    const common = { by: ['group'], aggregate: 'sum', policies: [POLICY] }
    const gauge = { ...common, match: 'load_queue_length', name: 'load:queue_by_group', type: 'gauge' }
    const counter = { ...common, match: 'load_requests_total', name: 'load:requests_by_group', type: 'counter' }
    await etcd.ctl('put', '/varve/rules/rollup/queue', JSON.stringify(gauge))
    await etcd.ctl('put', '/varve/rules/rollup/requests', JSON.stringify(counter))
    await waitFor('windows of both', 90_000, async () => {
      const outputs = [
        ...(await samplesOf('load:queue_by_group', NAMESPACE)),
        ...(await samplesOf('load:requests_by_group', NAMESPACE)),
      ]
      return outputs.length === 4 && outputs.every(({ values = [] }) => values.length >= 3)
    })
    expectEveryWindow('load_queue_length', await samplesOf('load:queue_by_group', NAMESPACE), gaugeSum)
    await expectCounterWindows()
  })

  it('an unparsable rule leaves the last good one in force and is seen', async () => {
    await etcd.ctl('put', '/varve/rules/rollup/queue', '{"match": "load_queue_length{", "name": 3')
    await waitFor('the problem on the rules page', 20_000, async () => {
      const { data } = await getJson<RulesAnswer>(`${coordinator.url}/api/v1/rollup-rules`)
      const rule = data.rules.find(({ where }) => where === '/varve/rules/rollup/queue')
      return rule !== undefined && rule.state === 'active' && rule.problems.length > 0
    })
    const metrics = await (await fetch(`${coordinator.url}/metrics`)).text()
    expect(metrics).toMatch(/^varve_rules_invalid 1$/m)
    expect(coordinator.output).toMatch(/"level":"(warn|error)".*rollup\/queue.*line 1, column \d+/)
    const before = await lastWindowMs('load:queue_by_group')
    await waitFor(
      'windows go on',
      30_000,
      async () => (await lastWindowMs('load:queue_by_group')) > before + 2 * RESOLUTION_MS,
    )
  })

  it('a changed rule holds from the next window, a deleted one ends', async () => {
    const changed = {
      ...{ match: 'load_queue_length', name: 'load:queue_by_group', by: ['group'], type: 'gauge', policies: [POLICY] },
      aggregate: 'max',
    }
    const changedAtMs = Date.now()
    await etcd.ctl('put', '/varve/rules/rollup/queue', JSON.stringify(changed))
    const byRule = (group: string, endMs: number, aggregate: (values: number[]) => number) => {
      const values = load.workers
        .filter((worker) => Load.group(worker) === group)
        .flatMap((worker) => {
          const inWindow = load
            .acknowledged('load_queue_length', worker)
            .filter(({ timestampMs }) => timestampMs > endMs - RESOLUTION_MS && timestampMs <= endMs)
          return inWindow.map(({ value }) => value)
        })
      return aggregate(values)
    }
    await waitFor('windows under the changed rule', 90_000, async () => {
      const outputs = await samplesOf('load:queue_by_group', NAMESPACE)
      return outputs.every(({ metric, values = [] }) =>
        values.some(
          ([seconds, text]) =>
            seconds * 1000 > changedAtMs &&
            Math.abs(Number(text) - byRule(metric.group, seconds * 1000, (all) => Math.max(...all))) < 1e-9,
        ),
      )
    })
    for (const { metric, values = [] } of await samplesOf('load:queue_by_group', NAMESPACE)) {
      let changes = 0
      let wasMax = false
      values.forEach(([seconds, text], i) => {
        if (i > 0) expect(Math.round((seconds - values[i - 1][0]) * 1000)).toBe(RESOLUTION_MS)
        const max = byRule(metric.group, Math.round(seconds * 1000), (all) => Math.max(...all))
        const isMax = Math.abs(Number(text) - max) < 1e-9
        if (!isMax) expect(Number(text)).toBeCloseTo(gaugeSum(metric.group, Math.round(seconds * 1000)) as number, 6)
        if (isMax !== wasMax) changes++
        wasMax = isMax
      })
      expect(changes, 'sum before, max after, one seam').toBe(1)
    }

    await etcd.ctl('del', '/varve/rules/rollup/queue')
    await waitFor('the rule is gone', 20_000, async () => {
      const rules = JSON.stringify(await getJson(`${coordinator.url}/api/v1/rollup-rules`))
      return !rules.includes('load:queue_by_group')
    })
    await delay(4 * RESOLUTION_MS)
    const last = await lastWindowMs('load:queue_by_group')
    await delay(3 * RESOLUTION_MS)
    expect(await lastWindowMs('load:queue_by_group')).toBe(last)
  })
})

describe('faults', { timeout: 300_000 }, () => {
  it('kill -9 under load loses no acknowledged sample and no window', async () => {
    for (let i = 0; i < 3; i++) {
      await delay(1_500 + 700 * i)
      await coordinator.kill()
      await delay(300)
      coordinator = await Coordinator.start({ dataDirectory: dataDirectory(), flags: flags(), port: coordinator.port })
    }
    const killedUntilMs = Date.now()
    await waitFor('windows after the last start', 90_000, async () => {
      return (await lastWindowMs('load:requests_by_group')) > killedUntilMs + 2 * RESOLUTION_MS
    })
    await expectEveryAcknowledgedSample()
    await expectCounterWindows()
  })

  it('etcd away for 20 s: writes, queries and rollups go on, and a changed rule arrives after', async () => {
    await etcd.kill()
    const goneAtMs = Date.now()
    await delay(10_000)
    expect(load.lastAcknowledgedMs).toBeGreaterThan(goneAtMs + 8_000)
    expect((await instantQuery(coordinator.url, 'load_requests_total')).length).toBe(load.workers.length)
    await waitFor('windows without etcd', 15_000, async () => {
      return (await lastWindowMs('load:requests_by_group')) > goneAtMs + 2 * RESOLUTION_MS
    })
    await delay(Math.max(0, goneAtMs + 20_000 - Date.now()))
    await etcd.restart()
    const rule = {
      match: 'load_queue_length',
      name: 'load:queue_total',
      by: [],
      aggregate: 'sum',
      type: 'gauge',
      policies: [POLICY],
    }
    await etcd.ctl('put', '/varve/rules/rollup/total', JSON.stringify(rule))
    await waitFor('the rule that was put after', 90_000, async () => {
      return (await samplesOf('load:queue_total', NAMESPACE)).some(({ values = [] }) => values.length >= 2)
    })
    await expectEveryAcknowledgedSample()
    await expectCounterWindows()
    expect(load.errors).toEqual([])
  })

  it('SIGTERM stops it within 5 s', async () => {
    await load.stop()
    expect(await coordinator.stop(5_000)).toBe(0)
  })
})

async function expectEveryAcknowledgedSample(): Promise<void> {
  for (const metric of ['load_requests_total', 'load_queue_length']) {
    // Taken before the query, since the load goes on meanwhile.
    const acknowledged = new Map(load.workers.map((worker) => [worker, [...load.acknowledged(metric, worker)]]))
    const stored = new Map(
      (await samplesOf(metric)).map((series) => [
        series.metric.worker,
        new Map(series.values?.map(([t, v]) => [t, v])),
      ]),
    )
    for (const [worker, samples] of acknowledged) {
      const missing = samples.filter(
        ({ timestampMs, value }) => Number(stored.get(worker)?.get(timestampMs / 1000)) !== value,
      )
      expect(missing, `acknowledged samples of ${metric} worker ${worker} that are not there`).toEqual([])
    }
  }
}

/** The cumulative output grows from window to window by what the group's counters grew. */
async function expectCounterWindows(): Promise<void> {
  const outputs = await samplesOf('load:requests_by_group', NAMESPACE)
  const first = new Map(outputs.map(({ metric, values = [] }) => [metric.group, values[0]]))
  expectEveryWindow('load_requests_total', outputs, (group, endMs) => {
    const [seconds, text] = first.get(group) as readonly [number, string]
    return Number(text) + counterGrowth(group, Math.round(seconds * 1000), endMs)
  })
}
