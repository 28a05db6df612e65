/**
 * One seed of trouble: a database on a simulated disk, rules in an etcd that lies, a sender that repeats itself and comes
 * late, clocks that jump, and crashes at any moment. In the end everything is compared with the naive recomputation from the
 * raw samples that are stored, and the rules with those in etcd.
 */
import { Database, type Namespace } from '@varve/tsdb-core'
import { type Env, sleep } from '@varve/tsdb-core/env'
import { SeededRandom, Simulation } from '@varve/tsdb-core/env/simulated'
import { halvesOf, Labels, writeStaleAt } from '@varve/tsdb-core/model'
import { Aggregator } from '../aggregator.js'
import { SimulatedEtcd } from '../etcd/simulated-etcd.js'
import { windowEndOf } from '../rules/storage-policy.js'
import { EtcdRuleStore } from '../stores/etcd-rule-store.js'
import { naiveRollup, STALE } from '../windows/rollup.naive.test.support.js'
import { expectSame, readAll, readOutputsOf } from './rollup-world.test.support.js'

const RESOLUTION_MS = 10_000
const NAMESPACE = '10s_1d'
const SECONDS = 1000

export interface ScenarioOutcome {
  readonly comparedCount: number
  readonly crashCount: number
}

interface Sender {
  readonly labels: Labels
  readonly isCounter: boolean
  value: number
}

export interface Plant {
  /** Replaces the aggregator's options or its etcd client: a bug that the scenario has to find. */
  readonly watchAlone?: boolean
}

export async function runFaultScenario(seed: number, plant: Plant = {}): Promise<ScenarioOutcome> {
  const dice = new SeededRandom(seed * 2 + 1)
  const below = (count: number) => dice.u32() % count
  const chance = (share: number) => dice.u32() < share * 2 ** 32
  const simulation = new Simulation({ seed })
  const etcd = new SimulatedEtcd(simulation.clock, new SeededRandom(seed))
  const backups: (() => void)[] = []
  const senders: Sender[] = Array.from({ length: 2 + below(4) }, (_, i) => ({
    labels: Labels.from({ __name__: i % 2 === 0 ? 'c_total' : 'g', job: i < 3 ? 'a' : 'b', pod: String(i) }),
    isCounter: i % 2 === 0,
    value: below(1000),
  }))
  const waiting: { labels: Labels; timestampMs: number; value: number | typeof STALE }[] = []
  let crashCount = 0
  let comparedCount = 0

  putRules(etcd, below)
  const incarnations = 1 + below(4)
  for (let incarnation = 0; incarnation <= incarnations; incarnation++) {
    const isLast = incarnation === incarnations
    simulation.disk.crashAt(!isLast && chance(0.6) ? simulation.disk.operationCount + below(400) : -1)
    const outcome = await simulation.run(async (env) => {
      const { database, aggregator } = await start(env, etcd, plant)
      const seconds = isLast ? 20 : 20 + below(100)
      for (let second = 0; second < seconds; second++) {
        await send(database.namespace('default'), env)
        if (!isLast) trouble()
        await sleep(env.clock, 500 + below(1000))
      }
      if (!isLast) return // And then it is killed.
      await finish(env, database, aggregator)
    })
    if (outcome.kind === 'crashed' || !isLast) {
      crashCount++
      etcd.dropClients()
      if (chance(0.5)) simulation.crash()
      else simulation.kill()
    }
    if (outcome.kind === 'crashed' && isLast) throw new Error('the last run has no crash point and crashed')
  }
  return { comparedCount, crashCount }

  async function send(raw: Namespace, env: Env): Promise<void> {
    const nowMs = env.clock.wallMs()
    for (const sender of senders) {
      if (chance(0.15)) continue
      sender.value = sender.isCounter ? (chance(0.05) ? below(5) : sender.value + below(50)) : below(500) / 4
      const value = chance(0.03) ? STALE : sender.value
      waiting.push({ labels: sender.labels, timestampMs: nowMs - below(500), value: value as number | typeof STALE })
    }
    // Some are held back for a while, and batches are repeated, as a sender does that got no answer.
    const batch = waiting.filter(() => chance(0.8))
    if (batch.length === 0) return
    const again = chance(0.2)
    await append(raw, batch)
    if (again) await append(raw, batch)
    for (const sample of batch) waiting.splice(waiting.indexOf(sample), 1)
  }

  /** What may go wrong, one thing at a time. */
  function trouble(): void {
    if (!chance(0.15)) return
    const { faults } = etcd
    const all: (() => void)[] = [
      () => (faults.down ? etcd.comeBack() : etcd.goDown()),
      () => (faults.delayMsMax = below(3000)),
      () => (faults.lostAnswers = below(100) / 200),
      () => (faults.lostEvents = below(100) / 100),
      () => (faults.repeatedEvents = below(100) / 100),
      () => (faults.eventDelayMsMax = below(5000)),
      () => etcd.compact(),
      () => void backups.push(etcd.backup()),
      () => backups.splice(below(backups.length || 1), 1)[0]?.(),
      () => simulation.jumpWall((below(2) === 0 ? -1 : 1) * below(60 * SECONDS)),
      () => putRules(etcd, below),
      () => etcd.put('/varve/rules/rollup/sum', '{"match": "c_total{'),
      () => etcd.delete('/varve/rules/rollup/max'),
    ]
    all[below(all.length)]()
  }

  async function finish(env: Env, database: Database, aggregator: Aggregator): Promise<void> {
    Object.assign(etcd.faults, { delayMsMax: 0, lostAnswers: 0, eventDelayMsMax: 0, repeatedEvents: 0 })
    // Events may stay lost: listing is what counts.
    if (etcd.faults.down) etcd.comeBack()
    putRules(etcd, below)
    await sleep(env.clock, 70 * SECONDS)
    await append(database.namespace('default'), waiting.splice(0))
    await sleep(env.clock, 20 * SECONDS)
    await aggregator.stop()
    expectRulesOfEtcd(etcd, aggregator)

    const book = aggregator.book
    const watermarkMs = database.watermark(NAMESPACE, 0)
    if (watermarkMs === undefined) throw new Error('no window was computed')
    const behindMs = env.clock.wallMs() - watermarkMs
    if (behindMs > 2 * RESOLUTION_MS + 5 * SECONDS) throw new Error(`windows are ${behindMs} ms behind`)
    const first = book.entries().flatMap(({ versions }) => versions.filter(({ rule }) => rule !== null))
    const firstSeenMs = Math.min(...first.map(({ seenMs, fromMs }) => Math.max(seenMs, fromMs)))
    const expected = naiveRollup({
      raw: await readAll(database, 'default', undefined),
      namespace: NAMESPACE,
      resolutionMs: RESOLUTION_MS,
      firstEndMs: windowEndOf(firstSeenMs, RESOLUTION_MS),
      lastEndMs: watermarkMs,
      rulesAt: (endMs) => book.rulesAt(endMs),
    })
    comparedCount += expectSame(await readOutputsOf(database, NAMESPACE, expected), expected, `seed ${seed}`)
    await database.close()
  }
}

async function start(
  env: Env,
  etcd: SimulatedEtcd,
  plant: Plant,
): Promise<{ database: Database; aggregator: Aggregator }> {
  const database = await Database.open({
    directory: '/data',
    env,
    diskReserveBytes: 0,
    segmentSizeBytes: 4096,
    maintenanceIntervalMs: 5000,
    namespaces: { default: { retentionMs: Infinity } },
  })
  const client = etcd.connect()
  const store = new EtcdRuleStore({
    client: plant.watchAlone
      ? {
          ...client,
          range: (prefix) => client.range(prefix),
          close: () => client.close(),
          watch: (prefix, changed) => client.watch(prefix, (event) => event.kind === 'changed' && changed(event)),
        }
      : client,
  })
  const aggregator = new Aggregator({
    database,
    env,
    store,
    stateDirectory: '/data/state',
    ...(plant.watchAlone && { relistMs: 1e9 }),
  })
  await aggregator.start()
  return { database, aggregator }
}

function putRules(etcd: SimulatedEtcd, below: (count: number) => number): void {
  const policies = ['10s:1d']
  const rule = (document: object) => JSON.stringify({ policies, ...document })
  etcd.put('/varve/rules/mapping/all', rule({ match: below(3) === 0 ? 'c_total' : '{__name__!=""}' }))
  const by = [[], ['job'], ['pod']][below(3)]
  etcd.put('/varve/rules/rollup/sum', rule({ match: 'c_total', name: 'c:sum', by, aggregate: 'sum' }))
  if (below(2) === 0) {
    const aggregate = ['max', 'avg', 'count', 'last'][below(4)]
    etcd.put('/varve/rules/rollup/max', rule({ match: 'g', name: 'g:some', by: ['job'], aggregate }))
  }
}

async function append(
  raw: Namespace,
  samples: readonly { labels: Labels; timestampMs: number; value: number | typeof STALE }[],
) {
  const count = samples.length
  const values = new Float64Array(count)
  const halves = halvesOf(values)
  const timestampsMs = new Float64Array(count)
  samples.forEach((sample, k) => {
    timestampsMs[k] = sample.timestampMs
    if (sample.value === STALE) writeStaleAt(halves, k)
    else values[k] = sample.value
  })
  const seriesRefs = await raw.resolveLabels(samples.map(({ labels }) => labels))
  await raw.append({ count, seriesRefs, timestampsMs, values })
}

/** The good documents in etcd are the rules in force. */
function expectRulesOfEtcd(etcd: SimulatedEtcd, aggregator: Aggregator): void {
  const inForce = new Map(aggregator.book.entries().map(({ where, versions }) => [where, versions.at(-1)]))
  for (const { key, value } of etcd.entries().values()) {
    const text = new TextDecoder().decode(value)
    if (inForce.get(key)?.text !== text)
      throw new Error(`rule ${key} is ${text} in etcd, and ${inForce.get(key)?.text} here`)
  }
  for (const [key, version] of inForce) {
    if (version?.rule && !etcd.entries().has(key)) throw new Error(`rule ${key} is not in etcd, and in force here`)
  }
}
