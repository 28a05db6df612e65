/**
 * Windows that are written whole are the same as their samples written one by one: against a map, with windows that come again,
 * out of order and in part, samples beside them, deletions, seals and restarts. `SEED=8123` replays one case.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { SeededRandom } from './env/simulated/index.js'
import { COLUMNS, columnNumber } from './model/columns.js'
import { Labels } from './model/labels.js'
import type { Namespace } from './namespace.js'
import { openTemporaryDatabase, readSamples, type TemporaryDatabase } from './testing/index.js'
import type { WindowBatch } from './window-batch.js'

const SEED = process.env.SEED === undefined ? null : Number(process.env.SEED)
const CASES = Number(process.env.CASES ?? 6)
const MINUTE = 60_000
const NOW = Date.UTC(2024, 0, 1)
const SERIES = 150
const ALL = [{ name: 'id', operator: '!=', value: '' }] as const
const VALUES = [0x7ff0000000000002n, 0x3ff0000000000000n, 0xbff0000000000000n, 0n, 0x7ff8000000000123n]
const ABSENT = 0x7ff0564152564500n
const COLUMN_NAMES = COLUMNS.filter((column) => column !== 'value')

let temporary: TemporaryDatabase | undefined
afterEach(async () => {
  await temporary?.remove()
  temporary = undefined
})

async function oneCase(seed: number): Promise<number> {
  const random = new SeededRandom(seed)
  const below = (count: number) => random.u32() % count
  const chance = (share: number) => random.u32() < share * 2 ** 32
  const bits = (i: number) => (chance(0.8) ? BigInt(i % 7) << 52n : VALUES[below(VALUES.length)])
  temporary = await openTemporaryDatabase({
    nowMs: NOW,
    syncMode: 'never',
    namespaces: {
      default: { retentionMs: Infinity },
      // Two blocks, so that windows go from one to the next.
      '1m': {
        resolutionMs: MINUTE,
        retentionMs: Infinity,
        blockSizeMs: 4 * 3_600_000,
        shardCount: seed % 5 === 4 ? 2 : 1,
      },
    },
  })
  let namespace: Namespace = temporary.database.namespace('1m')
  const labels = Array.from({ length: SERIES }, (_, i) => Labels.from({ __name__: `m${i % 3}`, id: String(i) }))
  let refs = await namespace.resolveLabels(labels)
  /** Column, then series, then time. */
  const model = new Map<string, bigint>()
  const keyOf = (column: string, series: number, timeMs: number) => `${column} ${series} ${timeMs}`
  const startMs = NOW - 8 * 3_600_000
  const order = Array.from({ length: SERIES }, (_, i) => i)
  const windowCount = 60 + below(200)
  /** Of windows that may not be durable yet. */
  const undurable: Promise<void>[] = []

  const writeWindow = async (timeMs: number, part: number) => {
    const series = order.filter(() => chance(part))
    const values = COLUMN_NAMES.map(() => new BigUint64Array(series.length))
    const masks = new Uint8Array(series.length)
    series.forEach((each, i) => {
      // Most series have the same columns each time, some none at all for a while.
      let mask = each % 2 === 0 ? 0b111111 : 0b011111
      if (each > 140 && Math.floor(timeMs / MINUTE / 30) % 2 === 0) mask = 0
      if (chance(0.01)) mask = below(64)
      masks[i] = mask
      for (let k = 0; k < COLUMN_NAMES.length; k++) {
        if ((mask & (1 << k)) === 0) continue
        // The maxima of counters are their last values; of some gauges almost.
        const isLast = each % 3 === 0 && COLUMN_NAMES[k] === 'max' && (mask & 1) !== 0
        values[k][i] = isLast ? values[0][i] ^ (chance(0.01) ? 1n : 0n) : bits(each)
        model.set(keyOf(COLUMN_NAMES[k], each, timeMs), values[k][i])
      }
    })
    const batch: WindowBatch = {
      timestampMs: timeMs,
      count: series.length,
      seriesRefs: Uint32Array.from(series, (each) => refs[each]),
      masks,
      columns: COLUMN_NAMES.map((column, k) => ({ column, values: new Float64Array(values[k].buffer) })),
    }
    const { refused, unknown, durable } = await namespace.appendWindow(batch, { deferred: chance(0.5) })
    expect({ refused, unknown }).toEqual({ refused: null, unknown: [] })
    undurable.push(durable)
    // Its columns belong to the caller again.
    for (const each of values) each.fill(0x4059000000000000n)
  }

  const writeSamples = async (windows: number) => {
    const count = 1 + below(100)
    const seriesRefs = new Uint32Array(count)
    const timestampsMs = new Float64Array(count)
    const values = new BigUint64Array(count)
    const shardCount = namespace.options.shardCount
    for (let k = 0; k < count; k++) {
      const each = below(SERIES)
      const column = COLUMN_NAMES[below(COLUMN_NAMES.length)]
      timestampsMs[k] = startMs + below(windows + 2) * MINUTE
      values[k] = chance(0.1) ? ABSENT : bits(each)
      seriesRefs[k] = refs[each] + columnNumber(column) * shardCount
      model.set(keyOf(column, each, timestampsMs[k]), values[k])
    }
    const { rejections } = await namespace.append({
      count,
      seriesRefs,
      timestampsMs,
      values: new Float64Array(values.buffer),
    })
    expect(rejections).toEqual([])
  }

  for (let window = 0; window < windowCount; window++) {
    const timeMs = startMs + window * MINUTE
    // In slices, as the aggregator writes them.
    if (chance(0.02)) order.reverse()
    await writeWindow(timeMs, 0.97)
    if (chance(0.05)) await writeWindow(timeMs, 0.5)
    if (chance(0.04)) await writeWindow(startMs + below(window + 1) * MINUTE, 0.5)
    if (chance(0.08)) await writeSamples(window)
    if (chance(0.01)) {
      await namespace.flush(Infinity)
      // Series without samples in an open block were evicted.
      refs = await namespace.resolveLabels(labels)
    }
    if (chance(0.02)) {
      await temporary.reopen()
      await Promise.all(undurable.splice(0))
      namespace = temporary.database.namespace('1m')
      refs = await namespace.resolveLabels(labels)
    }
    if (chance(0.02)) {
      const id = below(SERIES)
      const fromMs = startMs + below(window + 1) * MINUTE
      const untilMs = fromMs + below(90) * MINUTE
      const matchers = [{ name: 'id', operator: '=', value: String(id) }] as const
      await namespace.deleteSamples({ matchers, startMs: fromMs, endMs: untilMs })
      for (const column of COLUMN_NAMES) {
        for (let at = fromMs; at < untilMs; at += MINUTE) model.delete(keyOf(column, id, at))
      }
    }
  }

  namespace.writeDeferred()
  await Promise.all(undurable)

  let compared = 0
  for (const column of COLUMN_NAMES) {
    for (const [fromMs, untilMs] of [
      [0, NOW],
      [startMs + 20 * MINUTE, startMs + 71 * MINUTE],
    ]) {
      const request = { matchers: ALL, startMs: fromMs, endMs: untilMs, column, exactColumn: true }
      const found = await readSamples(namespace, request)
      for (let each = 0; each < SERIES; each++) {
        const wanted: string[] = []
        for (let window = 0; window < windowCount + 2; window++) {
          const timeMs = startMs + window * MINUTE
          const value = model.get(keyOf(column, each, timeMs))
          if (value === undefined || value === ABSENT || timeMs < fromMs || timeMs >= untilMs) continue
          wanted.push(`${window}=${value.toString(16)}`)
        }
        const got = (found.get(labels[each].key) ?? []).map(
          (sample) => `${(sample.timestampMs - startMs) / MINUTE}=${sample.bits.toString(16)}`,
        )
        expect(got, `seed ${seed}, series ${each}, column ${column}`).toEqual(wanted)
        compared += wanted.length
      }
    }
  }
  const all = [...model.values()].length
  if (namespace.options.shardCount === 1 && namespace.stats().sealedBlockCount === 0) {
    // A sample that hides an older one counts beside it.
    const { headSampleCount } = namespace.stats()
    expect(headSampleCount, `seed ${seed}: samples in the head`).toBeGreaterThanOrEqual(all)
    expect(headSampleCount).toBeLessThan(all * 1.05)
  }
  await temporary.remove()
  temporary = undefined
  return compared
}

describe('windows that are written whole', () => {
  it('are what their samples are', async () => {
    const seeds = SEED === null ? Array.from({ length: CASES }, (_, i) => i) : [SEED]
    let compared = 0
    for (const seed of seeds) compared += await oneCase(seed)
    expect(compared).toBeGreaterThan(10_000)
  }, 180_000)
})
