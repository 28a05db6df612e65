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

const V1 = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }
const V2 = {
  'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
  'content-encoding': 'snappy',
}
const OTLP = { 'content-type': 'application/x-protobuf' }
const JSON_TYPE = { 'content-type': 'application/json' }
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

interface Request {
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: Uint8Array | string
}

let directory: string
let server: Coordinator
let pool: Pool
let probe: StallProbe

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-hostile-'))
  server = await Coordinator.start({
    dataDirectory: join(directory, 'data'),
    flags: ['--retention', 'forever', '--self-scrape', 'off', '--sync', 'interval'],
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

const otlpMessage = (random: Seeded) => {
  const attributes = [{ key: 'service.name', value: { stringValue: `s${random.below(3)}` } }]
  const point = (i: number) => ({ timeUnixNano: `${NOW + i}000000`, asDouble: random.below(100) / 3, attributes })
  const points = Array.from({ length: 1 + random.below(4) }, (_, i) => point(i))
  const cumulative = { aggregationTemporality: 2 }
  const histogram = { ...point(9), count: 3, sum: 2.5, bucketCounts: [1, 2], explicitBounds: [0.5] }
  const exponential = { ...point(9), count: 3, sum: 1, scale: 2, positive: { offset: 1, bucketCounts: [1, 0, 2] } }
  const metrics = [
    { name: 'g', unit: 's', gauge: { dataPoints: points } },
    { name: 'c', sum: { ...cumulative, isMonotonic: true, dataPoints: points } },
    { name: 'h', histogram: { ...cumulative, dataPoints: [histogram] } },
    { name: 'e', exponentialHistogram: { ...cumulative, dataPoints: [exponential] } },
    {
      name: 's',
      summary: { dataPoints: [{ ...point(9), count: 1, sum: 2, quantileValues: [{ quantile: 0.5, value: 2 }] }] },
    },
  ]
  return { resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ metrics }] }] }
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
    body: otlpRequestCodec.encode(otlpMessage(random)).finish(),
  }),
  (random) => ({ path: '/api/v1/otlp/v1/metrics', headers: JSON_TYPE, body: JSON.stringify(otlpMessage(random)) }),
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

  it.each(bombs())('is not held by $name', { timeout: 60_000 }, async ({ statuses, make }) => {
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

  it('is not held by queries over wide data', { timeout: 90_000 }, async () => {
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

  it('shuts out who only hangs around, and serves the others meanwhile', { timeout: 60_000 }, async () => {
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

interface Bomb {
  readonly name: string
  readonly statuses: readonly number[]
  readonly make: () => Request
}

/** Small on the wire, large behind it; or large on the wire and made to be slow. Most decode to the 32 MiB that are accepted. */
function bombs(): Bomb[] {
  const MIB = 1 << 20
  const labels = (i: number, count: number, padding: number): [string, string][] => [
    ['__name__', 'bomb'],
    ...Array.from({ length: count }, (_, k): [string, string] => [`l${k}`, `${i}`.padStart(padding, 'x')]),
  ]
  const snappy =
    (path: string, make: () => Uint8Array, headers = V1) =>
    () => ({
      path,
      headers,
      body: encodeSnappy(make()),
    })
  const write = (make: () => Uint8Array) => snappy('/api/v1/write', make)
  const plain =
    (path: string, make: () => string, headers = {}) =>
    () => ({ path, headers, body: make() })
  const zipped =
    (path: string, make: () => Uint8Array | string, headers = {}) =>
    () => ({
      path,
      headers: { ...headers, 'content-encoding': 'gzip' },
      body: gzipSync(make()),
    })
  const query =
    (text: string, more = '') =>
    () => ({
      path: more === '' ? '/api/v1/query' : '/api/v1/query_range',
      headers: FORM,
      body: `query=${encodeURIComponent(text)}&time=${NOW / 1000}${more}`,
    })
  const series = (count: number, labelCount: number, padding: number) =>
    bodyV1(
      Array.from({ length: count }, (_, i) => ({
        labels: labels(i, labelCount, padding),
        samples: [{ value: 1, timestamp: NOW }],
      })),
    )
  const histogram = (more: object) =>
    bodyV1([
      {
        labels: labels(1, 1, 1),
        samples: [],
        histograms: [{ countInt: 1, zeroCountInt: 0, sum: 3, schema: 3, zeroThreshold: 1e-5, timestamp: NOW, ...more }],
      },
    ])
  const twoBytes = (a: number, b: number, size = 32 * MIB) => Buffer.alloc(size, Buffer.from([a, b]))
  const points = (count: number) => {
    const message = otlpMessage(seeded(1))
    const metric = message.resourceMetrics[0].scopeMetrics[0].metrics[0] as { gauge: { dataPoints: object[] } }
    const attributes = [{ key: 'k', value: { stringValue: 'v' } }]
    metric.gauge.dataPoints = Array.from({ length: count }, (_, i) => ({
      timeUnixNano: `${NOW + i}000000`,
      asDouble: i,
      attributes,
    }))
    return message
  }
  const list: readonly (readonly [string, readonly number[], () => Request])[] = [
    [
      'a snappy length of 2.5 GB',
      [413],
      () => ({ path: '/api/v1/write', headers: V1, body: Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x0a, 0) }),
    ],
    ['16 million empty series', [413], write(() => twoBytes(0x0a, 0))],
    ['32 MiB of an unknown field', [400], write(() => twoBytes(0x78, 1))],
    ['900 new series with 16 KiB of labels each', [204], write(() => series(900, 8, 2_000))],
    ['6,000 new series with 30 labels each', [204], write(() => series(6_000, 30, 20))],
    ['a series with 10,000 labels', [400], write(() => series(1, 10_000, 10))],
    ['values of a megabyte', [400], write(() => series(20, 1, MIB))],
    [
      'a histogram of two million buckets',
      [400],
      write(() =>
        histogram({
          positiveSpans: [{ offset: 0, length: 2_000_000 }],
          positiveDeltas: [1, ...new Array(1_999_999).fill(0)],
        }),
      ),
    ],
    [
      'a histogram of a million spans',
      [400],
      write(() =>
        histogram({ positiveSpans: new Array(1_000_000).fill({ offset: 0, length: 0 }), positiveDeltas: [] }),
      ),
    ],
    ['16 million empty OTLP resources', [413], zipped('/api/v1/otlp/v1/metrics', () => twoBytes(0x0a, 0), OTLP)],
    [
      '20,000 OTLP points in one metric',
      [200],
      () => ({
        path: '/api/v1/otlp/v1/metrics',
        headers: OTLP,
        body: otlpRequestCodec.encode(points(20_000)).finish(),
      }),
    ],
    [
      '20,000 OTLP points as JSON',
      [200],
      plain('/api/v1/otlp/v1/metrics', () => JSON.stringify(points(20_000)), JSON_TYPE),
    ],
    [
      'OTLP JSON of 11 million objects',
      [400],
      zipped('/api/v1/otlp/v1/metrics', () => `{"resourceMetrics":[${'{},'.repeat(11_000_000)}{}]}`, JSON_TYPE),
    ],
    ['OTLP JSON that only opens', [400], plain('/api/v1/otlp/v1/metrics', () => '['.repeat(16 * MIB), JSON_TYPE)],
    ['gzip of a thousand to one', [413], zipped('/api/v1/import/prometheus', () => new Uint8Array(256 * MIB))],
    ['32 MiB of comments', [204], zipped('/api/v1/import/prometheus', () => '#\n'.repeat(16 * MIB - 1))],
    ['a line of 32 MiB', [400], zipped('/api/v1/import/prometheus', () => `a{x="${'y'.repeat(31 * MIB)}"} 1`)],
    [
      'a million HELP lines',
      [204],
      zipped('/api/v1/import/prometheus', () =>
        Array.from({ length: 1_000_000 }, (_, i) => `# HELP h${i} xxxxxxxx\n`).join(''),
      ),
    ],
    ['JSON lines that only open', [400], zipped('/api/v1/import', () => '['.repeat(31 * MIB))],
    [
      'a JSON line with a million labels',
      [400],
      zipped(
        '/api/v1/import',
        () =>
          `{"metric":{${Array.from({ length: 1_000_000 }, (_, i) => `"l${i}":""`).join()}},"values":[1],"timestamps":[1]}`,
      ),
    ],
    [
      'a JSON line of 50,000 samples',
      [204],
      zipped(
        '/api/v1/import',
        () =>
          `{"metric":{"__name__":"long"},"values":[${'1,'.repeat(49_999)}1],"timestamps":[${Array.from({ length: 50_000 }, (_, i) => NOW - i).join()}]}`,
      ),
    ],
    ['Influx junk without an end', [400], zipped('/write', () => 'x'.repeat(31 * MIB))],
    ['remote read of 2 million queries', [400, 413], snappy('/api/v1/read', () => twoBytes(0x0a, 0, 4 * MIB - 2))],
    [
      'remote read of 100,000 queries',
      [400],
      snappy('/api/v1/read', () =>
        readRequestCodec
          .encode({ queries: new Array(100_000).fill({ startTimestampMs: 1, endTimestampMs: 2, matchers: [] }) })
          .finish(),
      ),
    ],
    [
      'an alternation of 600 patterns over all values',
      [200],
      query(`count({l0=~"${Array.from({ length: 600 }, (_, i) => `x${i}.*`).join('|')}"})`),
    ],
    [
      'patterns that other engines try for ever',
      [200],
      query('count({l0=~"(x+x+)+y"} or {l1=~"(.*.*.*=.*)"} or {l2=~"(a|aa)+b"})'),
    ],
    [
      'labels replaced three times over',
      [200, 422],
      query(`${'label_replace('.repeat(3)}bomb${', "a", "$1", "l0", "(.*)x")'.repeat(3)}`),
    ],
    [
      'every series, sorted',
      [200],
      () => ({
        path: '/api/v1/series',
        headers: FORM,
        body: `match[]=${encodeURIComponent('{__name__!=""}')}&match[]=bomb`,
      }),
    ],
    [
      '100 selectors',
      [200],
      () => ({
        path: '/api/v1/series',
        headers: FORM,
        body: new Array(100).fill(`match[]=${encodeURIComponent('{__name__=~".+m1"}')}`).join('&'),
      }),
    ],
    ['a megabyte of query', [400], query('1+'.repeat(300_000))],
  ]
  return list.map(([name, statuses, make]) => ({ name, statuses, make }))
}
