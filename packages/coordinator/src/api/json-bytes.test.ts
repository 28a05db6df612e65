import { type JsonKernels, nativeKernels } from '@varve/native'
import { Engine } from '@varve/promql'
import { Database } from '@varve/tsdb-core'
import { describe, expect, test } from 'vitest'
import { goNumber } from './go-json.js'
import { JsonBytes } from './json-bytes.js'
import { queryJson } from './query-json.js'

const kernels = nativeKernels()

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

describe.skipIf(kernels === undefined)('the native writer', () => {
  test('writes numbers as TypeScript does', () => {
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

  test('gives the answers of TypeScript, in one part or in many', async () => {
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
    const textOf = async (result: (typeof results)[number], limit: number, ours: JsonKernels | null) => {
      let text = ''
      let parts = 0
      const options = { limit, stats: 'none', notices: {}, pause: async () => undefined, kernels: ours } as const
      for await (const part of queryJson(result, options)) {
        parts++
        text += typeof part === 'string' ? part : Buffer.from(part).toString()
      }
      return { text, parts }
    }
    let most = 0
    for (const result of results) {
      for (const limit of [0, 7]) {
        const native = await textOf(result, limit, kernels ?? null)
        expect(native.text).toBe((await textOf(result, limit, null)).text)
        most = Math.max(most, native.parts)
      }
    }
    expect(most).toBeGreaterThan(1)
    await database.close()
  })
})
