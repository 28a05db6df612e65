/**
 * Asks representative queries of some made-up series in memory, right after the start, so that the first dashboards find compiled
 * code: what has run a few times only is interpreted, and takes many times as long.
 *
 * It goes through the routes that clients use, from parameters to JSON, but neither through a socket nor to the store. What it
 * does is bounded in processor time, and it rests as long as it works, so that real requests find every other moment free.
 * While writes keep the event loop busy, as when senders catch up after a restart, it waits until they have: beside them,
 * it would cost twice as much, and make them late. Where they always do, it goes on after some minutes.
 */
import { Engine } from '@varve/promql'
import { Database, DEFAULT_NAMESPACE } from '@varve/tsdb-core'
import { type Clock, type Env, sleep } from '@varve/tsdb-core/env'
import { Cancellation } from '@varve/tsdb-core/query'
import { labelRoutes } from '../api/label-routes.js'
import { QueryGate } from '../api/query-gate.js'
import { type QueryLimits, queryRoutes } from '../api/query-routes.js'
import { DEFAULT_TENANT, type HttpResponse, type Route } from '../server/http.js'
import { MADE_UP_STEP_MS, MADE_UP_STEPS, madeUpSamples } from './made-up-samples.js'

export interface WarmUpOptions {
  readonly env: Env
  readonly limits: QueryLimits
  /** Aborted when the program stops. */
  readonly signal: AbortSignal
  /** How long it may work in all. Default 1 s. */
  readonly busyMsMax?: number
  /** How often it asks all of its queries, if there is time. Default 40: later ones found little left to compile. */
  readonly passCountMax?: number
  /** Before it begins: what happens right after the start goes first. Default 500 ms. */
  readonly delayMs?: number
  /** Told how long each stretch of it held the event loop. */
  readonly onTurn?: (tookMs: number) => void
  /** How long writes have held the event loop so far; it waits while that rises fast. Default: there are no writes. */
  readonly writesMs?: () => number
}

const BUSY_MS_MAX = 1_000
const DELAY_MS = 500
const PASS_COUNT_MAX = 40
/** Between two rests. */
const TURN_MS = 4
const MEMORY_BYTES_MAX = 64 << 20
/** Of the event loop's time. A hundred thousand series every 15 s take about a hundredth of this. */
const WRITES_SHARE_MAX = 0.1
/** Over which the share of the writes is taken, while it works and while it waits for them. */
const LOOK_MS = 250
const WAIT_MS = 1_000
/** A server that is always that busy has its queries compiled some time, too: a second of its time, in small pieces. */
const WAITED_MS_MAX = 10 * 60_000

/** Resolves with how many queries were asked. @throws {Error} when one of them is not answered with 200. */
export async function warmUp(options: WarmUpOptions): Promise<number> {
  const { env, signal } = options
  const { clock } = env
  const turns = new WatchedTurns(clock, options.onTurn)
  const writes = new WritesWatch(options)
  await sleep(clock, options.delayMs ?? DELAY_MS, signal)
  await writes.calm()
  const database = await Database.open({
    env: { ...env, clock: turns.clock },
    memoryBytesMax: MEMORY_BYTES_MAX,
    maintenanceIntervalMs: 0,
  })
  try {
    const endMs = clock.wallMs()
    let busyMs = 0
    let turnMs = 0
    /** Runs one piece of work, then rests as long as that took, if it was long enough to be felt. */
    const timed = async (work: () => Promise<unknown>): Promise<void> => {
      const startedMs = turns.begin()
      await work()
      turns.end()
      const tookMs = clock.monotonicMs() - startedMs
      busyMs += tookMs
      turnMs += tookMs
      if (turnMs < TURN_MS) return
      await sleep(clock, turnMs, signal)
      turnMs = 0
      await writes.calm()
    }
    for (const samples of madeUpSamples(endMs)) await timed(() => database.append(samples))

    const routes = routesOver(database, { ...options, env: { ...env, clock: turns.clock } })
    let count = 0
    for (let pass = 0; pass < (options.passCountMax ?? PASS_COUNT_MAX); pass++) {
      for (const { path, parameters } of requests(endMs)) {
        if (busyMs > (options.busyMsMax ?? BUSY_MS_MAX)) return count
        await timed(() => ask(routes, path, parameters, signal))
        count++
      }
    }
    return count
  } finally {
    await database.close()
  }
}

/** A clock whose yields tell how long the work before them took. */
class WatchedTurns {
  readonly clock: Clock
  readonly #onTurn: ((tookMs: number) => void) | undefined
  #startMs = 0

  constructor(clock: Clock, onTurn: ((tookMs: number) => void) | undefined) {
    this.#onTurn = onTurn
    this.clock = {
      ...clock,
      yield: async () => {
        this.end()
        await clock.yield()
        this.begin()
      },
    }
  }

  begin(): number {
    this.#startMs = this.clock.monotonicMs()
    return this.#startMs
  }

  end(): void {
    this.#onTurn?.(this.clock.monotonicMs() - this.#startMs)
  }
}

/** Tells whether writes are few enough to work beside them. */
class WritesWatch {
  readonly #options: WarmUpOptions
  #lookedMs: number
  #writesMs: number
  #waitedMs = 0

  constructor(options: WarmUpOptions) {
    this.#options = options
    this.#lookedMs = options.env.clock.monotonicMs()
    this.#writesMs = this.#total()
  }

  /** Resolves at once while they are few, or when it has looked a moment ago, and otherwise when they have become few or it has waited long. */
  async calm(): Promise<void> {
    const { env, signal } = this.#options
    if (env.clock.monotonicMs() - this.#lookedMs < LOOK_MS) return
    while (this.#share() > WRITES_SHARE_MAX && this.#waitedMs < WAITED_MS_MAX) {
      await sleep(env.clock, WAIT_MS, signal)
      this.#waitedMs += WAIT_MS
    }
  }

  /** Since the last look. */
  #share(): number {
    const nowMs = this.#options.env.clock.monotonicMs()
    const total = this.#total()
    const share = (total - this.#writesMs) / Math.max(1, nowMs - this.#lookedMs)
    this.#lookedMs = nowMs
    this.#writesMs = total
    return share
  }

  #total(): number {
    return this.#options.writesMs?.() ?? 0
  }
}

function routesOver(database: Database, { env, limits }: WarmUpOptions): ReadonlyMap<string, Route> {
  const { clock } = env
  const namespace = database.namespace(DEFAULT_NAMESPACE)
  const gate = new QueryGate({ clock, concurrencyMax: 1, queueLengthMax: 1, waitMsMax: 1_000 })
  const queryable = () => namespace
  const routes = [
    ...queryRoutes({
      engine: new Engine({ clock }),
      clock,
      gate,
      limits: () => limits,
      queryable,
    }),
    ...labelRoutes({ queryable, pause: () => clock.yield() }),
  ]
  return new Map(routes.map((route) => [route.path, route]))
}

interface MadeUpRequest {
  readonly path: string
  readonly parameters: Readonly<Record<string, string>>
}

/** One of each kind that dashboards ask. */
const QUERIES: readonly string[] = [
  'up',
  'node_load1',
  'cpu_seconds_total{instance="host-1",mode="user"}',
  'rate(cpu_seconds_total{instance=~"host-[0-3]",mode!="idle"}[5m])',
  'sum by (instance) (rate(cpu_seconds_total{mode!="idle"}[5m]))',
  'sum(rate(cpu_seconds_total[5m]))',
  'topk(3, sum by (instance) (rate(cpu_seconds_total[5m])))',
  'histogram_quantile(0.9, sum by (le) (rate(request_seconds_bucket[5m])))',
  'sum by (job) (increase(cpu_seconds_total[1h]))',
  'count by (job) (node_load1)',
  'quantile by (job) (0.9, node_load1)',
  '1 - memory_available_bytes / memory_total_bytes',
  'sum by (instance) (rate(cpu_seconds_total[5m])) * on (instance) group_left (nodename) node_info',
  'avg_over_time(node_load1[30m])',
  'max by (job) (max_over_time(node_load1[10m]))',
  'predict_linear(memory_available_bytes[30m], 3600)',
  'max_over_time(sum(rate(cpu_seconds_total[5m]))[30m:1m])',
  'avg without (mode) (rate(cpu_seconds_total[5m]))',
]

function requests(endMs: number): MadeUpRequest[] {
  const end = String(endMs / 1000)
  const start = String((endMs - MADE_UP_STEPS * MADE_UP_STEP_MS) / 1000)
  return [
    ...QUERIES.flatMap((query) => [
      { path: '/api/v1/query_range', parameters: { query, start, end, step: '30' } },
      { path: '/api/v1/query', parameters: { query, time: end } },
    ]),
    { path: '/api/v1/query', parameters: { query: 'cpu_seconds_total{instance="host-1"}[1h]', time: end } },
    { path: '/api/v1/query', parameters: { query: 'count({__name__=~"node_.+"})', time: end } },
    { path: '/api/v1/series', parameters: { 'match[]': 'node_load1', start, end } },
    { path: '/api/v1/labels', parameters: { start, end } },
  ]
}

async function ask(
  routes: ReadonlyMap<string, Route>,
  path: string,
  parameters: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const route = routes.get(path)
  if (route === undefined) throw new Error(`there is no route ${path}`)
  signal.throwIfAborted()
  const cancellation = new Cancellation()
  const { status, body }: HttpResponse = await route.handle({
    method: 'GET',
    path,
    query: new URLSearchParams(parameters),
    header: () => undefined,
    pathParameters: new Map(),
    remoteAddress: '',
    tenant: DEFAULT_TENANT,
    body: new Uint8Array(0),
    signal: cancellation,
    cancel: (reason) => cancellation.abort(reason),
  })
  if (typeof body === 'object' && !(body instanceof Uint8Array)) for await (const _ of body);
  if (status !== 200) throw new Error(`${path}?${new URLSearchParams(parameters)} was answered ${status}: ${body}`)
}
