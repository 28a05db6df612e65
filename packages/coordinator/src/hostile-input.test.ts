/**
 * A real server under attack, in a process of its own: mutated bodies of every protocol, bombs, queries of death, clients that
 * are slow or only hang around. It answers each with a verdict and never with a 500, its event loop is not held, its memory
 * stays bounded, and a well-behaved client beside notices nothing.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Coordinator, type StallProbe, startStallProbe } from '@varve/end-to-end'
import { Pool } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { otlpRequestCodec } from './ingest/otlp/otlp-message.js'
import { readRequestCodec } from './proto/messages.js'
import { encodeSnappy } from './snappy/index.js'
import { bombs, FORM, JSON_TYPE, OTLP, otlpMessage, type Request, V1, V2 } from './testing/bombs.js'
import { type Seeded, seeded } from './testing/seeded.js'
import { bodyV1, bodyV2, mutate, randomSeries } from './testing/write-bodies.js'

const SEED = Number(process.env.SEED ?? 1)
const BODY_COUNT = Number(process.env.VARVE_HOSTILE_BODIES ?? 21_000)
/** Requests in flight at a time. */
const CONNECTIONS = 16
/** Of processor time. What shares the machine's caches stretches even that, so a query or bomb may try again. */
const STALL_CPU_MS_MAX = Number(process.env.VARVE_STALL_MS ?? 100)
const ATTEMPTS_MAX = 3
const NOW = Date.now() - 600_000
/** Of those that come at once. */
const BOMBS_OF_EACH = Number(process.env.VARVE_HOSTILE_BOMBS ?? 1)
/** Of the setting that the server runs with, and what Node, its native module and garbage not collected yet may take beside it. */
const MEMORY_MIB = 1024
const MEMORY_MARGIN_MIB = 512

let directory: string
let server: Coordinator
let pool: Pool
let probe: StallProbe

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-hostile-'))
  server = await Coordinator.start({
    dataDirectory: join(directory, 'data'),
    flags: [
      ...['--retention', 'forever', '--self-scrape', 'off', '--sync', 'interval'],
      '--memory',
      `${MEMORY_MIB}MiB`,
    ],
  })
  pool = new Pool(server.url, { connections: CONNECTIONS, pipelining: 1, bodyTimeout: 60_000, headersTimeout: 60_000 })
  // The first requests compile what later ones run.
  for (let i = 0; i < 300; i++) await send(validRequest(seeded(i), i))
  probe = startStallProbe(server.pid, server.port)
  await settled()
})
afterAll(async () => {
  await probe?.stop()
  await pool?.close()
  await server?.kill()
  await rm(directory, { recursive: true, force: true })
})

async function send({ path, headers, body }: Request): Promise<{ status: number; text: string }> {
  const answer = await pool.request({ method: 'POST', path, headers, body })
  return { status: answer.statusCode, text: await answer.body.text() }
}

async function residentMiB(): Promise<number> {
  return Number(/VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024
}

/** The probe has asked anew since what was before. */
async function settled(): Promise<void> {
  await probe.take()
  while ((await probe.take()).count === 0) await new Promise((resolve) => setTimeout(resolve, 20))
}

const text = (random: Seeded, source: string) => {
  const alphabet = '{}[]()"\'=,:#\\\n\t 0123.eE+-NaIf_~!*/%\0é'
  let out = source
  for (let i = random.below(3); i >= 0; i--) {
    const at = random.below(out.length)
    const piece =
      random.below(3) === 0 ? out.slice(random.below(out.length)).slice(0, 30) : alphabet[random.below(alphabet.length)]
    out = out.slice(0, at) + piece + out.slice(at + random.below(3))
  }
  return out
}

const readRequest = (random: Seeded) =>
  readRequestCodec
    .encode({
      queries: [
        {
          startTimestampMs: NOW - random.below(1e7),
          endTimestampMs: NOW,
          matchers: [{ type: random.below(4), name: '__name__', value: `metric_${random.below(9)}.*` }],
        },
      ],
      acceptedResponseTypes: random.below(2) === 0 ? [1] : [],
    })
    .finish()
const PROMETHEUS_TEXT = `# HELP a_total Help \\\\ text.\n# TYPE a_total counter\na_total{x="1",y="é\\n"} 3.5 ${NOW} # {trace_id="t"} 1\nb NaN\n{"c d",z="1"} -Inf\n# EOF\n`
const JSON_LINES = `{"metric":{"__name__":"j","a":"b\\"c"},"values":[1,"NaN",null,-1.5e-3],"timestamps":[${NOW},${NOW + 1},${NOW + 2},${NOW + 3}]}\n`
const INFLUX = `cpu,host=a\\ b,dc=eu usage=0.5,count=3i,up=t,note="x, y \\" z" ${NOW}000000\nload value=1u\n# no\n`
const QUERIES = [
  'sum by (instance) (rate(metric_1{zone!~"é.*"}[5m] offset 1m)) / ignoring(a) group_left(b) avg(metric_2)',
  'histogram_quantile(0.9, sum without (path) (metric_3)) > bool -1e3 or vector(1)',
  'max_over_time(metric_4[1h:1m] @ end()) and on() topk(3, {__name__=~"metric_.+"}) unless absent(x)',
  'label_replace(metric_5, "a", "$1-x", "zone", "(.*)") ^ 2 % 3',
]

/** Each kind of request, whole. Bodies that a sender would make; what becomes of them is in `mutated`. */
const KINDS: readonly ((random: Seeded) => Request)[] = [
  (random) => ({ path: '/api/v1/write', headers: V1, body: bodyV1(randomSeries(random, 1 + random.below(10))) }),
  (random) => ({ path: '/api/v1/write', headers: V2, body: bodyV2(randomSeries(random, 1 + random.below(10))) }),
  (random) => ({
    path: '/api/v1/otlp/v1/metrics',
    headers: OTLP,
    body: otlpRequestCodec.encode(otlpMessage(random, NOW)).finish(),
  }),
  (random) => ({ path: '/api/v1/otlp/v1/metrics', headers: JSON_TYPE, body: JSON.stringify(otlpMessage(random, NOW)) }),
  () => ({ path: '/api/v1/import/prometheus', headers: {}, body: PROMETHEUS_TEXT }),
  () => ({ path: '/api/v1/import', headers: {}, body: JSON_LINES }),
  () => ({ path: '/write', headers: {}, body: INFLUX }),
  (random) => ({ path: '/api/v1/read', headers: V1, body: readRequest(random) }),
  (random) => ({
    path: random.below(2) === 0 ? '/api/v1/query' : '/api/v1/query_range',
    headers: FORM,
    body: QUERIES[random.below(QUERIES.length)],
  }),
]

function validRequest(random: Seeded, i: number): Request {
  return framed(random, KINDS[i % KINDS.length](random))
}

/** Snappy where it belongs, and the parameters around a query. */
function framed(random: Seeded, request: Request): Request {
  const { headers, body } = request
  if (headers['content-encoding'] === 'snappy') return { ...request, body: encodeSnappy(body as Uint8Array) }
  if (headers !== FORM) return request
  const start = NOW / 1000 - random.below(5000)
  const parameters = {
    query: String(body),
    start: `${start}`,
    end: `${start + random.below(5000)}`,
    step: `${1 + random.below(60)}`,
  }
  return { ...request, body: new URLSearchParams(parameters).toString() }
}

function mutated(random: Seeded, i: number): Request {
  const whole = KINDS[i % KINDS.length](random)
  if (random.below(8) === 0) return framed(random, whole)
  if (typeof whole.body === 'string') {
    const request = framed(random, { ...whole, body: text(random, whole.body) })
    if (random.below(20) > 0 || whole.headers === FORM) return request
    const zipped = gzipSync(request.body)
    return {
      ...request,
      headers: { ...request.headers, 'content-encoding': 'gzip' },
      body: random.below(2) === 0 ? zipped : mutate(random, zipped, zipped),
    }
  }
  // One in four is damaged outside of its compression, so that both decoders are tried.
  if (random.below(4) > 0) return framed(random, { ...whole, body: mutate(random, whole.body, random.bytes(64)) })
  const request = framed(random, whole)
  return { ...request, body: mutate(random, request.body as Uint8Array, random.bytes(64)) }
}

const VERDICTS: ReadonlySet<number> = new Set([200, 204, 400, 413, 415, 422])

/** One sample every so often, as a sender would: none may be refused, and each must be there at the end. */
class Witness {
  #running = true
  readonly refused: string[] = []
  count = 0
  readonly done: Promise<void>

  constructor() {
    this.done = this.#run()
  }

  async stop(): Promise<void> {
    this.#running = false
    await this.done
    const query = `count_over_time(witness[1h])`
    const { text: answer } = await send({
      path: '/api/v1/query',
      headers: FORM,
      body: new URLSearchParams({ query, time: `${(NOW + this.count) / 1000}` }).toString(),
    })
    expect(answer).toContain(`"${this.count}"`)
    expect(this.refused).toEqual([])
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const samples = [{ value: this.count, timestamp: NOW + this.count + 1 }]
      const body = encodeSnappy(bodyV1([{ labels: [['__name__', 'witness']], samples }]))
      const { status, text: answer } = await send({ path: '/api/v1/write', headers: V1, body })
      if (status === 204) this.count++
      else this.refused.push(`${status} ${answer}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

describe('a server under attack', () => {
  it(`gives a verdict on each of ${BODY_COUNT} mutated requests, and is never held`, { timeout: 240_000 }, async () => {
    const witness = new Witness()
    const statuses = new Map<number, number>()
    let next = 0
    let stall = 0
    const attack = async () => {
      while (next < BODY_COUNT) {
        const i = next++
        const request = mutated(seeded(SEED * 1_000_003 + i), i)
        const { status, text: answer } = await send(request)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (!VERDICTS.has(status)) {
          const body = Buffer.from(request.body).toString('hex').slice(0, 8000)
          throw new Error(`SEED=${SEED}, request ${i}: ${status} ${answer} for ${request.path} ${body}`)
        }
        if (i % 500 === 0) stall = Math.max(stall, (await probe.take()).cpuMs)
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS - 2 }, attack))
    stall = Math.max(stall, (await probe.take()).cpuMs)
    await witness.stop()
    expect(stall, 'milliseconds of processor time in one turn').toBeLessThan(STALL_CPU_MS_MAX)
    // A generator whose bodies are all good, or all nonsense, tries nothing.
    const share = (status: number) => (statuses.get(status) ?? 0) / BODY_COUNT
    expect(share(400)).toBeGreaterThan(0.2)
    expect(share(204) + share(200)).toBeGreaterThan(0.1)
    expect(await residentMiB()).toBeLessThan(700)
  })

  it.each(bombs(NOW))('is not held by $name', { timeout: 180_000 }, async ({ statuses, make }) => {
    const request = make()
    const before = await residentMiB()
    await settled()
    const answers = [await send(request)]
    let stall = (await probe.take()).cpuMs
    // Collecting garbage of this size takes time too, once: what holds the loop does so each time.
    for (let attempt = 1; attempt < ATTEMPTS_MAX && stall >= STALL_CPU_MS_MAX; attempt++) {
      answers.push(await send(request))
      stall = Math.min(stall, (await probe.take()).cpuMs)
    }
    for (const { status, text: answer } of answers) expect(statuses, answer).toContain(status)
    expect(stall, 'milliseconds of processor time in one turn').toBeLessThan(STALL_CPU_MS_MAX)
    expect((await residentMiB()) - before).toBeLessThan(400)
  })

  it('stays within its memory when they come all at once', { timeout: 120_000 * BOMBS_OF_EACH }, async () => {
    const all = bombs(NOW).map((bomb) => ({ ...bomb, request: bomb.make() }))
    const heavy = all.filter(({ name }) => name === 'OTLP JSON of 11 million objects')
    expect(heavy.length).toBe(1)
    const each = new Array<typeof all>(BOMBS_OF_EACH).fill(all).flat()
    const play = [...new Array<(typeof all)[0]>(8).fill(heavy[0]), ...each]
    let next = 0
    let peakMiB = 0
    const watch = setInterval(async () => (peakMiB = Math.max(peakMiB, await residentMiB())), 50)
    const attack = async () => {
      while (next < play.length) {
        const { name, statuses, request } = play[next++]
        let answer = await send(request)
        // Told to come again, as senders do.
        while (answer.status === 503) {
          await new Promise((resolve) => setTimeout(resolve, 250))
          answer = await send(request)
        }
        expect(statuses, `${name}: ${answer.text}`).toContain(answer.status)
      }
    }
    try {
      await Promise.all(Array.from({ length: CONNECTIONS }, attack))
    } finally {
      clearInterval(watch)
    }
    if (BOMBS_OF_EACH > 1) console.log(`${play.length} bombs at once: ${Math.round(peakMiB)} MiB at most`)
    expect(peakMiB).toBeLessThan(MEMORY_MIB + MEMORY_MARGIN_MIB)
  })

  it('is not held by queries over wide data', { timeout: 180_000 }, async () => {
    for (let from = 0; from < WIDE_SERIES; from += 1_000) {
      const series = Array.from({ length: 1_000 }, (_, k) => ({
        labels: wideLabels(from + k),
        samples: [{ value: from + k, timestamp: NOW }],
      }))
      expect((await send({ path: '/api/v1/write', headers: V1, body: encodeSnappy(bodyV1(series)) })).status).toBe(204)
    }
    const stalls: [string, number][] = []
    for (const [query, steps] of WIDE_QUERIES) {
      const start = NOW / 1000 - 60
      const times = steps === 1 ? `time=${NOW / 1000}` : `start=${start}&end=${start + steps - 1}&step=1`
      const request = {
        path: steps === 1 ? '/api/v1/query' : '/api/v1/query_range',
        headers: FORM,
        body: `query=${encodeURIComponent(query)}&${times}`,
      }
      let least = Number.POSITIVE_INFINITY
      for (let attempt = 0; attempt < ATTEMPTS_MAX && least >= STALL_CPU_MS_MAX; attempt++) {
        await settled()
        const { status, text: answer } = await send(request)
        expect(status, answer.slice(0, 200)).toBe(200)
        least = Math.min(least, (await probe.take()).cpuMs)
      }
      stalls.push([query, least])
    }
    expect(stalls.filter(([, cpuMs]) => cpuMs >= STALL_CPU_MS_MAX)).toEqual([])
  })

  it('shuts out who only hangs around, and serves the others meanwhile', { timeout: 180_000 }, async () => {
    const witness = new Witness()
    const sockets: Socket[] = []
    const open = (first: string) => {
      const socket = connect(server.port, '127.0.0.1')
      socket.on('error', () => {})
      if (first !== '') socket.write(first)
      sockets.push(socket)
      return socket
    }
    try {
      // Ten thousand that say nothing, or begin and never end, are more than the server holds.
      for (let i = 0; i < 10_000; i++) {
        open(i % 3 === 0 ? 'POST /api/v1/write HTTP/1.1\r\nHost: x\r\nX-Slow: ' : '')
        if (i % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 10))
      }
      const bodies = Array.from({ length: 50 }, () =>
        open('POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\nabc'),
      )
      expect(await residentMiB()).toBeLessThan(1_500)
      // The timers of headers end them; then there is room for a newcomer.
      const newcomer = () =>
        fetch(`${server.url}/-/healthy`, { headers: { connection: 'close' } }).then(
          ({ status }) => status,
          () => 0,
        )
      await expect.poll(newcomer, { timeout: 25_000, interval: 250 }).toBe(200)
      for (const socket of bodies) socket.destroy()
    } finally {
      for (const socket of sockets) socket.destroy()
    }
    await witness.stop()
  })

  it('is alive, and still knows what it was told before', async () => {
    const query = 'count(witness)'
    const body = new URLSearchParams({ query, time: `${NOW / 1000 + 1}` }).toString()
    expect((await send({ path: '/api/v1/query', headers: FORM, body })).text).toContain('"1"')
  })
})

const WIDE_SERIES = 10_000
const WIDE_QUERIES: readonly (readonly [query: string, steps: number])[] = [
  ['count without (l1) (wide)', 1],
  ['count_values without (l1) ("x", wide)', 1],
  ['label_replace(wide, "a", "$1", "l1", "(.*)x")', 1],
  ['topk(5, wide and wide)', 1],
  ['quantile by (l3) (0.5, wide)', 500],
  ['sum by (l3) (rate(wide[5m]))', 11_000],
]

/** Thirty labels, most of them with a value that no other series has. */
function wideLabels(i: number): [string, string][] {
  const label = (k: number): [string, string] => [`l${k}`, k % 3 === 0 ? `v${i % (k + 2)}` : `value-${i}-${k}`]
  const labels = Array.from({ length: 30 }, (_, k) => label(k)).sort(([a], [b]) => (a < b ? -1 : 1))
  return [['__name__', 'wide'], ...labels]
}
