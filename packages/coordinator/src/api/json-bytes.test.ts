import { type JsonKernels, nativeKernels } from '@varve/native'
import { Engine } from '@varve/promql'
import { Database } from '@varve/tsdb-core'
import { describe, expect, test } from 'vitest'
import { goNumber } from './go-json.js'
import { JsonBytes } from './json-bytes.js'
import { LabelTexts } from './label-texts.js'
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

/** Label sets `{ä"="0"}`, `{ä"="1"}`, … */
function labelled(count: number, setCount = count): LabelTexts {
  const texts = new LabelTexts({
    sets: Uint32Array.from({ length: setCount }, (_, i) => i),
    pairs: Uint32Array.from({ length: count * 2 }, (_, i) => (i % 2 === 0 ? 0 : 1 + (i >> 1))),
    offsets: Uint32Array.from({ length: count + 1 }, (_, i) => i),
    textCount: count + 1,
    text: (id) => (id === 0 ? 'ä"' : String(id - 1)),
  })
  texts.prepare(0, count)
  return texts
}

describe.each(writers.filter(([, kernels]) => kernels !== undefined))('the writer in %s', (_, kernels) => {
  test('writes numbers as they are written one by one', () => {
    const values = numbers(20_000)
    const out = new JsonBytes(kernels!)
    const head = Buffer.from('[1.5,"'.repeat(values.length))
    const ends = Uint32Array.from({ length: values.length }, (_, i) => (i + 1) * 6)
    out.text('[')
    const run = { values, presence: NONE, firsts: Uint32Array.of(0), heads: { bytes: head, ends } }
    expect(out.series({ ...run, isInstant: false, end: 1 }, labelled(1), 0, 1e9)).toBe(1)
    out.text(']')
    const [row] = JSON.parse(Buffer.from(out.part()).toString()) as { values: [number, string][] }[]
    const wrong = row.values.filter(([, text], i) => text !== goNumber(values[i])).slice(0, 5)
    expect(wrong).toEqual([])
    expect(row.values).toHaveLength(values.length)
  })

  test('leaves out what is not present, and refuses columns that do not fit', () => {
    const heads = { bytes: Buffer.from('[1,"[20,"[300,"'), ends: Uint32Array.of(4, 9, 15) }
    const values = Float64Array.of(1, 2.5, 3, 4, 5, 6)
    const run = { values, presence: Uint8Array.of(0, 1, 1, 0, 0, 0), heads, isInstant: false, end: 3 }
    const out = new JsonBytes(kernels!)
    out.text('[')
    expect(out.series({ ...run, firsts: Uint32Array.of(0, 3, 1), end: 3 }, labelled(3), 0, 1e9)).toBe(3)
    expect(Buffer.from(out.part()).toString()).toBe(
      '[{"metric":{"ä\\"":"0"},"values":[[20,"2.5"],[300,"3"]]},{"metric":{"ä\\"":"2"},"values":[[1,"2.5"],[20,"3"]]}',
    )
    for (const wrong of [
      { ...run, firsts: Uint32Array.of(0, 4, 1) },
      { ...run, firsts: Uint32Array.of(0, 3, 1), presence: new Uint8Array(5) },
      { ...run, firsts: Uint32Array.of(0, 3, 1, 0), end: 4 },
    ]) {
      expect(() => out.series(wrong, labelled(3, 4), 0, 1e9)).toThrow('invariant')
    }
  })

  test('one part after the other is the whole', () => {
    const count = 3_000
    const heads = { bytes: Buffer.from('[7,"'), ends: Uint32Array.of(4) }
    const firsts = Uint32Array.from({ length: count }, (_, i) => count - 1 - i)
    const run = { values: numbers(count), presence: NONE, firsts, heads, isInstant: true, end: count }
    const texts = labelled(count)
    const out = new JsonBytes(kernels!)
    let whole = ''
    out.text('[')
    for (let next = 0; next < count; whole += Buffer.from(out.part()).toString()) {
      next = out.series(run, texts, next, 1_000)
    }
    const rows = Array.from(firsts, (first, i) => ({
      metric: { 'ä"': `${i}` },
      value: [7, goNumber(run.values[first])],
    }))
    expect(JSON.parse(`${whole}]`)).toEqual(rows)
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
      await engine.instantQuery({ queryable: database, query: 'sort(x)', timeMs: 90_000 }),
      await engine.instantQuery({ queryable: database, query: 'nothing', timeMs: 90_000 }),
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
          const metric = Object.fromEntries(result.series.labels(i))
          if (result.type === 'vector') rows.push({ metric, value: values[0] })
          else if (values.length > 0) rows.push({ metric, values })
        }
        expect(JSON.parse(text).data.result).toEqual(rows)
        most = Math.max(most, parts)
      }
    }
    expect(most).toBeGreaterThan(1)
    await database.close()
  })
})
