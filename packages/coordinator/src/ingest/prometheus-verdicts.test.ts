/**
 * What a real Prometheus stores of odd series, and what we store of them. Skipped, and said so, without `prometheus`.
 *
 * Prometheus 2.42 (Debian's) drops series with bad labels silently and answers 204; we refuse them with a 400, as its own
 * remote write 2.0 receiver does. So what is compared is what has been stored, not the status.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeSnappy } from '../snappy/index.js'
import { hasPrometheus, type PrometheusProcess, startPrometheus } from '../testing/prometheus-process.js'
import { startCoordinator, type TestCoordinator } from '../testing/start-coordinator.js'
import { bodyV1, type TestSeries } from '../testing/write-bodies.js'

const NOW = Date.now() - 60_000

type Labels = [string, string][]
const named = (...more: Labels): Labels => [['__name__', 'odd'], ...more]
const at = (offsetMs: number, value = 1) => [{ value, timestamp: NOW + offsetMs }]

/** `explained`: why our verdict is another one. */
interface Case {
  readonly name: string
  readonly labels: Labels
  readonly samples?: TestSeries['samples']
  readonly bytes?: readonly [from: string, to: string]
  readonly explained?: string
}

const UNCHECKED = '2.42 stores it unchecked; Prometheus 3 refuses it, as we do'

const CASES: readonly Case[] = [
  { name: 'plain', labels: named() },
  { name: 'without a metric name', labels: [], explained: UNCHECKED },
  { name: 'an empty metric name', labels: [['__name__', '']], explained: UNCHECKED },
  { name: 'an empty label name', labels: named(['', 'x']), explained: UNCHECKED },
  { name: 'an empty label value', labels: named(['empty', '']) },
  { name: 'a label twice', labels: named(['a', '1'], ['a', '2']) },
  {
    name: 'unsorted labels',
    labels: [
      ['z', '1'],
      ['__name__', 'odd'],
      ['a', '2'],
    ],
  },
  { name: "objects' own names", labels: named(['__proto__', 'p'], ['constructor', 'c'], ['toString', 't']) },
  { name: 'a value with a newline and a zero byte', labels: named(['text', 'a\nb\0c']) },
  { name: 'a value in many scripts', labels: named(['text', 'ü漢字🙂\u202e']) },
  {
    name: 'a value that is not UTF-8',
    labels: named(['text', 'BROKEN']),
    bytes: ['BROKEN', '\xff\xfeOKEN'],
    explained: UNCHECKED,
  },
  {
    name: 'a value cut inside a character',
    labels: named(['text', 'BROKEN']),
    bytes: ['BROKEN', 'BROKE\xc3'],
    explained: UNCHECKED,
  },
  {
    name: 'a surrogate as UTF-8',
    labels: named(['text', 'BROKEN']),
    bytes: ['BROKEN', 'BRO\xed\xa0\x80'],
    explained: UNCHECKED,
  },
  {
    name: 'an overlong zero',
    labels: named(['text', 'BROKEN']),
    bytes: ['BROKEN', 'BROK\xc0\x80'],
    explained: UNCHECKED,
  },
  {
    name: 'infinities and NaN',
    labels: named(),
    samples: [...at(0, Infinity), ...at(1, -Infinity), ...at(2, Number.NaN)],
  },
  { name: 'minus zero', labels: named(), samples: at(0, -0) },
  { name: 'nine minutes ahead', labels: named(), samples: at(9 * 60_000) },
  { name: 'before 1970', labels: named(), samples: [{ value: 1, timestamp: -1 }] },
  { name: 'the same sample twice', labels: named(), samples: [...at(0), ...at(0)] },
  { name: 'a label name with a dot', labels: named(['a.b', '1']) },
  { name: 'a metric name with a dot', labels: [['__name__', 'odd.name']] },
  {
    name: 'a value of 3,000 bytes',
    labels: named(['long', 'x'.repeat(3000)]),
    explained: 'our limit is 2,048 bytes, that of Cortex and Mimir; Prometheus has none',
  },
  { name: 'twenty minutes ahead', labels: named(), samples: at(20 * 60_000), explained: UNCHECKED },
  // Last, since Prometheus takes nothing of the present any more once its head has seen the far future.
  { name: 'milliseconds taken for seconds', labels: named(), samples: [{ value: 1, timestamp: NOW * 1000 }] },
]

describe.skipIf(!hasPrometheus)('verdicts (skipped without prometheus)', () => {
  let ours: TestCoordinator
  let prometheus: PrometheusProcess

  beforeAll(async () => {
    ours = await startCoordinator({ yaml: 'self_scrape: off' })
    prometheus = await startPrometheus('', ['--web.enable-remote-write-receiver'])
  })
  afterAll(async () => {
    await prometheus?.stop()
    await ours?.stop()
  })

  it('are those of Prometheus, or explained', async () => {
    const different: string[] = []
    for (const [index, { name, labels, samples = at(0), bytes, explained }] of CASES.entries()) {
      const all = [...labels]
      all.splice(
        all.findIndex(([label]) => label > 'case') < 0 ? all.length : all.findIndex(([label]) => label > 'case'),
        0,
        ['case', String(index)],
      )
      const body = Buffer.from(bodyV1([{ labels: all, samples }]))
      if (bytes !== undefined) Buffer.from(bytes[1], 'latin1').copy(body, body.indexOf(bytes[0]))
      const [theirs, mine] = await Promise.all([
        verdict(prometheus.url, body, index, false),
        verdict(ours.url, body, index, true),
      ])
      if (theirs !== mine && explained === undefined) different.push(`${name}: ${theirs}, ours ${mine}`)
      if (theirs === mine && explained !== undefined) different.push(`${name}: no longer different`)
    }
    expect(different).toEqual([])
  })
})

/** What is stored afterwards: the series with their samples, or `nothing`. */
async function verdict(url: string, body: Uint8Array, index: number, checksStatus: boolean): Promise<string> {
  const response = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
    body: encodeSnappy(body) as Uint8Array<ArrayBuffer>,
  })
  await response.text()
  // Prometheus 2.42 answers 500 for some of these, which its own senders then repeat for ever.
  if (checksStatus) expect(response.status).toBeLessThan(500)
  const query = new URLSearchParams({ query: `{case="${index}"}[1h]`, time: String(NOW / 1000 + 1800) })
  const answer = (await (await fetch(`${url}/api/v1/query?${query}`)).json()) as {
    data: { result: { metric: Record<string, string>; values: unknown[] }[] }
  }
  const found = answer.data.result.map(({ metric, values }) => JSON.stringify([Object.entries(metric).sort(), values]))
  return found.length === 0 ? 'nothing' : found.join(' ')
}
