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
import { naiveRollup, type RawSeries, STALE } from '../windows/rollup.naive.test.support.js'
import { expectSame, readAll, readOutputsOf } from './rollup-world.test.support.js'

const RESOLUTION_MS = 10_000
const NAMESPACE = '10s_1d'
const SECONDS = 1000
/** Longer than any sample waits to be sent again. */
const DROP_HOLD_MS = 40 * SECONDS

export interface ScenarioOutcome {
  readonly comparedCount: number
  /** Raw samples that are not stored any more. */
  readonly droppedCount: number
  readonly crashCount: number
}

interface Sent {
  readonly labels: Labels
  readonly timestampMs: number
  readonly value: number | typeof STALE
}

interface Sender {
  readonly labels: Labels
  readonly isCounter: boolean
  value: number
}

export interface Plant {
  /** Raw samples are dropped by rules, and blocks are written at any moment. */
  readonly drops?: boolean
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
  const waiting: Sent[] = []
  /** Everything that was ever sent: it is repeated until it is acknowledged. */
  const sent: Sent[] = []
  let crashCount = 0
  let comparedCount = 0
  let droppedCount = 0

  putRules(etcd, below, plant)
  const incarnations = 1 + below(4)
  for (let incarnation = 0; incarnation <= incarnations; incarnation++) {
    const isLast = incarnation === incarnations
    simulation.disk.crashAt(!isLast && chance(0.6) ? simulation.disk.operationCount + below(400) : -1)
    const outcome = await simulation.run(async (env) => {
      const { database, aggregator } = await start(env, etcd, plant)
      const seconds = isLast ? 20 : 20 + below(100)
      for (let second = 0; second < seconds; second++) {
        await send(database.namespace('default'), env)
        if (!isLast) await trouble(database)
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
  return { comparedCount, crashCount, droppedCount }

  async function send(raw: Namespace, env: Env): Promise<void> {
    const nowMs = env.clock.wallMs()
    for (const sender of senders) {
      if (chance(0.15)) continue
      sender.value = sender.isCounter ? (chance(0.05) ? below(5) : sender.value + below(50)) : below(500) / 4
      const value = chance(0.03) ? STALE : sender.value
      const sample = { labels: sender.labels, timestampMs: nowMs - below(500), value: value as number | typeof STALE }
      if (
        plant.drops &&
        sent.some((other) => other.labels === sample.labels && other.timestampMs === sample.timestampMs)
      ) {
        continue // The clock came by the same time again: what counts then is not of interest here.
      }
      waiting.push(sample)
      sent.push(sample)
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
  async function trouble(database: Database): Promise<void> {
    if (!chance(0.15)) return
    const { faults } = etcd
    const all: (() => unknown)[] = [
      () => (faults.down ? etcd.comeBack() : etcd.goDown()),
      () => (faults.delayMsMax = below(3000)),
      () => (faults.lostAnswers = below(100) / 200),
      () => (faults.lostEvents = below(100) / 100),
      () => (faults.repeatedEvents = below(100) / 100),
      () => (faults.eventDelayMsMax = below(5000)),
      () => etcd.compact(),
      () => void backups.push(etcd.backup()),
      () => backups.splice(below(backups.length || 1), 1)[0]?.(),
      // What a clock that went back brings is older than what is held of dropped series.
      () => simulation.jumpWall((below(2) === 0 && !plant.drops ? -1 : 1) * below(60 * SECONDS)),
      () => putRules(etcd, below, plant),
      () => etcd.put('/varve/rules/rollup/sum', '{"match": "c_total{'),
      () => etcd.delete('/varve/rules/rollup/max'),
      ...(plant.drops
        ? [() => database.flush(), () => database.flush(), () => etcd.delete('/varve/rules/drop/some')]
        : []),
    ]
    await all[below(all.length)]()
  }

  async function finish(env: Env, database: Database, aggregator: Aggregator): Promise<void> {
    Object.assign(etcd.faults, { delayMsMax: 0, lostAnswers: 0, eventDelayMsMax: 0, repeatedEvents: 0 })
    // Events may stay lost: listing is what counts.
    if (etcd.faults.down) etcd.comeBack()
    putRules(etcd, below, plant)
    if (!plant.drops) await sleep(env.clock, 70 * SECONDS)
    await append(database.namespace('default'), waiting.splice(0))
    await sleep(env.clock, 20 * SECONDS)
    if (plant.drops) {
      await sleep(env.clock, 70 * SECONDS)
      await database.flush()
    }
    await aggregator.stop()
    expectRulesOfEtcd(etcd, aggregator)

    const book = aggregator.book
    const watermarkMs = database.watermark(NAMESPACE, 0)
    if (watermarkMs === undefined) throw new Error('no window was computed')
    const behindMs = env.clock.wallMs() - watermarkMs
    if (behindMs > 2 * RESOLUTION_MS + 5 * SECONDS) throw new Error(`windows are ${behindMs} ms behind`)
    const first = book.entries().flatMap(({ versions }) => versions.filter(({ rule }) => rule !== null))
    const firstSeenMs = Math.min(...first.map(({ seenMs, fromMs }) => Math.max(seenMs, fromMs)))
    const raw = await readAll(database, 'default', undefined)
    const all = plant.drops ? bySeries(sent) : raw
    if (plant.drops) droppedCount += expectKept(raw, all, seed)
    const expected = naiveRollup({
      raw: all,
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
    namespaces: { default: { retentionMs: Infinity, ...(plant.drops && { blockSizeMs: 60_000 }) } },
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
    dropHoldMs: DROP_HOLD_MS,
    ...(plant.watchAlone && { relistMs: 1e9 }),
  })
  await aggregator.start()
  return { database, aggregator }
}

function putRules(etcd: SimulatedEtcd, below: (count: number) => number, plant: Plant): void {
  if (plant.drops) {
    const match = ['c_total', '{job="a"}'][below(2)]
    etcd.put('/varve/rules/drop/some', JSON.stringify({ match }))
  }
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

function bySeries(sent: readonly Sent[]): RawSeries[] {
  const series = new Map<string, { labels: Labels; samples: { timestampMs: number; value: number | typeof STALE }[] }>()
  for (const { labels, timestampMs, value } of sent) {
    const known = series.get(labels.key)
    if (known) known.samples.push({ timestampMs, value })
    else series.set(labels.key, { labels, samples: [{ timestampMs, value }] })
  }
  for (const { samples } of series.values()) samples.sort((a, b) => a.timestampMs - b.timestampMs)
  return [...series.values()]
}

/** What no drop rule ever concerned is all there, and nothing is there that was not sent. Returns how many are gone. */
function expectKept(raw: readonly RawSeries[], all: readonly RawSeries[], seed: number): number {
  const stored = new Map(raw.map(({ labels, samples }) => [labels.key, new Set(samples.map((s) => s.timestampMs))]))
  let goneCount = 0
  for (const { labels, samples } of all) {
    const times = stored.get(labels.key) ?? new Set()
    const gone = samples.filter(({ timestampMs }) => !times.has(timestampMs)).length
    if (times.size + gone !== samples.length) throw new Error(`seed ${seed}: ${labels} has samples that were not sent`)
    const mayDrop = labels.metricName === 'c_total' || labels.get('job') === 'a'
    if (gone > 0 && !mayDrop) throw new Error(`seed ${seed}: ${gone} samples of ${labels} are gone`)
    goneCount += gone
  }
  return goneCount
}

async function append(raw: Namespace, samples: readonly Sent[]) {
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
