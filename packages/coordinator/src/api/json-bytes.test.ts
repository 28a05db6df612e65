import { type JsonKernels, nativeKernels } from '@varve/native'
import { Engine } from '@varve/promql'
import { Database } from '@varve/tsdb-core'
import { describe, expect, test } from 'vitest'
import { goNumber } from './go-json.js'
import { JsonBytes } from './json-bytes.js'
import { queryJson } from './query-json.js'
import { typescriptJson } from './samples-json.js'

const NONE = new Uint8Array(0)

/** Doubles of all sizes: bit patterns, short decimals, integers, and the corners. */
function numbers(count: number): Float64Array {
  let seed = 12345
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return seed
  }
  const values = new Float64Array(count)
  const words = new Uint32Array(values.buffer)
  for (let i = 0; i < count; i++) {
    const kind = i % 5
    if (kind === 0) {
      words[2 * i] = random()
      words[2 * i + 1] = random()
    } else if (kind === 1) values[i] = (random() - 2 ** 31) / 1000
    else if (kind === 2) values[i] = random() * 10 ** ((random() % 30) - 8)
    else if (kind === 3) values[i] = random() / 2 ** 32
    else values[i] = random() * 2 ** (random() % 60)
  }
  values.set([0, -0, Number.NaN, Infinity, -Infinity, 1e21, 1e-6, 1e-7, 2 ** 53, 2 ** 53 + 2, 5e-324, 1e20, -1e-9])
  return values
}

const writers: [string, JsonKernels | undefined][] = [
  ['TypeScript', typescriptJson],
  ['native', nativeKernels()],
]

describe.each(writers.filter(([, kernels]) => kernels !== undefined))('the writer in %s', (_, kernels) => {
  test('writes numbers as they are written one by one', () => {
    const values = numbers(20_000)
    const out = new JsonBytes(kernels!, 64)
    const head = Buffer.from('[1.5,"'.repeat(values.length))
    const ends = Uint32Array.from({ length: values.length }, (_, i) => (i + 1) * 6)
    out.text('[')
    expect(out.samples({ bytes: head, ends }, values)).toBe(true)
    out.text(']')
    const rows: [number, string][] = JSON.parse(Buffer.from(out.take()).toString())
    const wrong = rows.filter(([, text], i) => text !== goNumber(values[i])).slice(0, 5)
    expect(wrong).toEqual([])
    expect(rows).toHaveLength(values.length)
  })

  test('leaves out what is not present, and refuses what has no room', () => {
    const values = Float64Array.of(1, 2.5, 3)
    const heads = { bytes: Buffer.from('[1,"[20,"[300,"'), ends: Uint32Array.of(4, 9, 15) }
    const out = new JsonBytes(kernels!, 64)
    expect(out.samples(heads, values, Uint8Array.of(0, 1, 1))).toBe(true)
    expect(Buffer.from(out.take()).toString()).toBe('[20,"2.5"],[300,"3"]')
    expect(out.samples(heads, values, new Uint8Array(3))).toBe(false)
    expect(() => out.samples(heads, Float64Array.of(1, 2))).toThrow('invariant')
    expect(kernels!.writeSamplesJson(values, NONE, heads.bytes, heads.ends, new Uint8Array(119), 0)).toBe(-1)
    expect(kernels!.writeSamplesJson(values, NONE, heads.bytes, heads.ends, new Uint8Array(120), 0)).toBe(28)
  })

  test('gives the samples of the result, in one part or in many', async () => {
    const database = await Database.open({ namespaces: { default: { retentionMs: Infinity } } })
    const samples = numbers(6_000).map((value) => (Number.isNaN(value) ? 1 : value))
    await database.append(
      Array.from(samples, (value, i) => ({
        labels: { __name__: 'x', series: `ä"${i % 50}` },
        timestampMs: 1000 + Math.floor(i / 50) * 1_001,
        value,
      })),
    )
    const engine = new Engine()
    const range = { startMs: 1000, endMs: 120_000, stepMs: 250, queryable: database, lookbackMs: 700 }
    const results = [
      await engine.rangeQuery({ ...range, query: 'x' }),
      await engine.rangeQuery({ ...range, query: 'sum by (series) (x > 5)' }),
      await engine.rangeQuery({ ...range, query: 'nothing' }),
      await engine.instantQuery({ queryable: database, query: 'x[1m]', timeMs: 90_000 }),
    ]
    let most = 0
    for (const result of results) {
      for (const limit of [0, 7]) {
        let text = ''
        let parts = 0
        const options = { limit, stats: 'none', notices: {}, pause: async () => undefined, kernels: kernels! } as const
        for await (const part of queryJson(result, options)) {
          parts++
          text += typeof part === 'string' ? part : Buffer.from(part).toString()
        }
        const rows: object[] = []
        for (let i = 0; i < Math.min(limit === 0 ? Infinity : limit, result.series.count); i++) {
          const values: [number, string][] = []
          result.series.forEachSample(i, (timeMs, value) => values.push([timeMs / 1000, goNumber(value)]))
          if (values.length > 0) rows.push({ metric: Object.fromEntries(result.series.labels(i)), values })
        }
        expect(JSON.parse(text).data.result).toEqual(rows)
        most = Math.max(most, parts)
      }
    }
    expect(most).toBeGreaterThan(1)
    await database.close()
  })
})
