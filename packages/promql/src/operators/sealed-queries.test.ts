/**
 * Generated queries over a sealed block that is read as it lies, beside the same over its batches.
 *
 *     QUERIES=20000 SEED=7 npx vitest run packages/promql/src/operators/sealed-queries.test.ts
 */
import { nativeKernels } from '@varve/native'
import { halvesOf, writeStaleAt } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'
import { openTemporaryDatabase } from '@varve/tsdb-core/testing'
import { expect, it } from 'vitest'
import { Engine } from '../engine/engine.js'
import { PromqlError } from '../errors.js'
import { generatedSeries, type LoadSeries, SeededRandom, WideQueryGenerator, wideSeries } from '../testing/index.js'

const SEED = Number(process.env.SEED ?? 20261123)
const QUERIES = Number(process.env.QUERIES ?? 400)
const HOUR_MS = 3_600_000
const BLOCK_SIZE_MS = 2 * HOUR_MS
const START_MS = Date.UTC(2024, 0, 1)

/** Series of floats, without start timestamps: other blocks are read in batches. */
function floats(all: readonly LoadSeries[]): LoadSeries[] {
  return all.filter(({ samples }) => samples.every(({ histogram }) => histogram === undefined))
}

it.skipIf(nativeKernels() === undefined)(`answer the same (SEED=${SEED})`, { timeout: 600_000 }, async () => {
  const random = new SeededRandom(SEED)
  const world = await openTemporaryDatabase({
    nowMs: START_MS + 2 * BLOCK_SIZE_MS,
    namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY, blockSizeMs: BLOCK_SIZE_MS } },
  })
  try {
    const namespace = world.database.namespace('default')
    // Up to the end of the block: windows of later steps reach beyond it.
    const range = { startMs: START_MS + BLOCK_SIZE_MS - 40 * 60_000, endMs: START_MS + BLOCK_SIZE_MS }
    const all = floats([...generatedSeries(random, range), ...wideSeries(random, range)])
    const refs = await namespace.resolveLabels(all.map(({ labels }) => labels))
    for (const [i, { samples }] of all.entries()) {
      const own = samples.filter(({ timeMs }) => timeMs < range.endMs)
      const values = Float64Array.from(own, ({ value }) => value ?? 0)
      const halves = halvesOf(values)
      own.forEach(({ value }, k) => {
        if (value === undefined) writeStaleAt(halves, k)
      })
      const timestampsMs = Float64Array.from(own, ({ timeMs }) => timeMs)
      const seriesRefs = new Uint32Array(own.length).fill(refs[i])
      expect((await namespace.append({ count: own.length, seriesRefs, timestampsMs, values })).rejections).toEqual([])
    }
    await world.database.flush()
    let sealedCount = 0
    const store = (keepsColumns: boolean): Queryable =>
      Object.assign(Object.create(namespace) as Queryable, {
        async select(request: Parameters<Queryable['select']>[0]) {
          const { sealed, ...result } = await namespace.select(request)
          if (sealed !== undefined && keepsColumns) sealedCount++
          return keepsColumns && sealed !== undefined ? { ...result, sealed } : result
        },
      })
    const engine = new Engine()
    const [startS, endS] = [range.startMs / 1000, range.endMs / 1000]
    const generator = new WideQueryGenerator(random, { startS, endS, without: new Set(), newerSyntax: true })
    for (let i = 0; i < QUERIES; i++) {
      const query = generator.query()
      const atMs = range.startMs + 15_000 * random.below(180) + (random.chance(0.5) ? 0 : random.below(15_000))
      const untilMs = random.chance(0.3) ? atMs : atMs + random.below(900_000)
      const times = { startMs: atMs, endMs: untilMs, stepMs: random.pick([15_000, 30_000, 60_000, 97_000, 7_500]) }
      const answer = (keepsColumns: boolean) => linesOf(engine, store(keepsColumns), query, times)
      expect(await answer(true), `SEED=${SEED} query ${i}: ${query} ${JSON.stringify(times)}`).toEqual(
        await answer(false),
      )
    }
    expect(sealedCount).toBeGreaterThan(QUERIES / 4)
  } finally {
    await world.remove()
  }
})

/** Label sets and bits of all samples, notes, what was read; or the error. */
async function linesOf(
  engine: Engine,
  queryable: Queryable,
  query: string,
  times: { startMs: number; endMs: number; stepMs: number },
): Promise<unknown> {
  try {
    const { series, warnings, infos, stats } = await engine.rangeQuery({ queryable, query, ...times })
    const lines: string[] = []
    for (let i = 0; i < series.count; i++) {
      const cells: string[] = []
      series.forEachSample(i, (timeMs, value) => cells.push(`${timeMs} ${bitsOf(value)}`))
      lines.push(`${series.labels(i)} ${cells.join(' ')}`)
    }
    const notes = [...warnings, ...infos].sort()
    return { lines: lines.sort(), notes, read: [stats.seriesRead, stats.samplesRead] }
  } catch (error) {
    if (error instanceof PromqlError && error.code !== 'internal') return error.message
    throw error
  }
}

/** The sign of a NaN that is computed is the processor's, and differs between interpreted and compiled code. */
function bitsOf(value: number): string {
  const bits = new BigUint64Array(Float64Array.of(value).buffer)[0]
  return Number.isNaN(value) && (bits & PAYLOAD) === COMPUTED_PAYLOAD ? 'NaN' : bits.toString(16)
}

const PAYLOAD = (1n << 52n) - 1n
const COMPUTED_PAYLOAD = 1n << 51n
