import { nativeKernels } from '@varve/native'
import { afterEach, describe, expect, it } from 'vitest'
import { SeededRandom } from '../env/simulated/index.js'
import type { LocalNamespace } from '../local-namespace.js'
import { Labels } from '../model/labels.js'
import { type RecentSamples, RUN_STRIDE } from '../shard.js'
import { openTemporaryDatabase, readSamples, type TemporaryDatabase } from '../testing/index.js'
import { RecentReader } from './recent-samples.js'

const NOW = Date.UTC(2024, 0, 1, 1, 30)
const START = NOW - 80 * 60_000
const SERIES = 100
const ALL = [{ name: 'id', operator: '!=', value: '' }] as const

let temporary: TemporaryDatabase | undefined
afterEach(async () => {
  await temporary?.remove()
  temporary = undefined
})

/** Scrapes every 15 s; some series miss some, some send late. The staleness marker is among the values. */
async function filled(scrapeCount: number) {
  temporary = await openTemporaryDatabase({ nowMs: NOW, syncMode: 'never' })
  const namespace = temporary.database.namespace('default')
  const random = new SeededRandom(7)
  const labels = Array.from({ length: SERIES }, (_, i) => Labels.from({ __name__: 'm', id: String(i) }))
  const refs = await namespace.resolveLabels(labels)
  for (let scrape = 0; scrape < scrapeCount; scrape++) {
    const series = [...refs.keys()].filter((i) => i < 50 || random.u32() % 10 > 0)
    const bits = BigUint64Array.from(series, (i) => (random.u32() % 50 === 0 ? 0x7ff0000000000002n : BigInt(i) << 50n))
    const isLate = (i: number) => i > 80 && random.u32() % 8 === 0
    await namespace.append({
      count: series.length,
      seriesRefs: Uint32Array.from(series, (i) => refs[i]),
      timestampsMs: Float64Array.from(series, (i) => START + scrape * 15_000 - (isLate(i) ? 100_001 : 0)),
      values: new Float64Array(bits.buffer),
    })
  }
  return { namespace, labels, refs }
}

/** Samples by series. */
function bySeries({ runCount, runs, timestampsMs, values }: RecentSamples) {
  const bits = new BigUint64Array(values.buffer, values.byteOffset, values.length)
  const series: { timestampMs: number; bits: bigint }[][] = []
  for (let run = 0; run < runCount; run++) {
    const [end, count, times, start] = runs.subarray(run * RUN_STRIDE)
    const width = end - series.length
    for (let lane = 0; lane < width; lane++) {
      series.push(
        Array.from({ length: count }, (_, k) => ({
          timestampMs: timestampsMs[times + k],
          bits: bits[start + k * width + lane],
        })),
      )
    }
  }
  return series
}

describe('recent samples', () => {
  it.each([20, 47, 48, 49, 50, 97, 130])('are those that select gives, after %d scrapes', async (scrapeCount) => {
    const { namespace, labels, refs } = await filled(scrapeCount)
    const newestMs = START + (scrapeCount - 1) * 15_000
    let compared = 0
    for (const lengthMs of [15_000, 60_000, 300_000]) {
      const range = { startMs: newestMs - lengthMs + 1, endMs: newestMs + 1 }
      const wanted = await readSamples(namespace, { matchers: ALL, ...range })
      const recent = await namespace.readRecent(refs, range.startMs, range.endMs)
      expect(recent).not.toBeNull()
      const { unread } = recent!
      const found = bySeries(recent!)
      expect(found).toHaveLength(SERIES)
      for (let i = 0; i < SERIES; i++) {
        if (unread.includes(i)) continue
        expect(found[i], `series ${i}`).toEqual(wanted.get(labels[i].key) ?? [])
        compared++
      }
      // Those whose samples come in order are never left out.
      expect(unread.every((i) => i > 80)).toBe(true)
    }
    expect(compared).toBeGreaterThan(200)
  })

  it.runIf(nativeKernels())('are the same by the Rust kernel and by TypeScript', async () => {
    let compared = 0
    for (const scrapeCount of [3, 47, 48, 49, 51, 96, 100, 190]) {
      const { namespace, refs } = await filled(scrapeCount)
      const [block] = [...(namespace as LocalNamespace).shards[0].head.blocks.values()]
      const shuffled = refs.slice().sort((a, b) => ((a * 37) % 101) - ((b * 37) % 101))
      for (const keys of [refs, shuffled, Uint32Array.of(...refs.subarray(10, 20), 9999)]) {
        for (const [backMs, lengthMs] of [
          [0, 15_000],
          [0, 60_000],
          [30_000, 60_000],
          [0, 700_000],
          [710_000, 60_000],
        ]) {
          const endMs = START + (scrapeCount - 1) * 15_000 + 1 - backMs
          if (endMs <= block.startMs) continue
          const startMs = Math.max(block.startMs, endMs - lengthMs)
          const [native, typescript] = [undefined, null].map((kernels) => {
            const read = new RecentReader(kernels).read(block, keys, startMs, endMs)
            const runs = read.runs.slice(0, read.runCount * RUN_STRIDE)
            return { runs, series: bySeries(read), unread: read.unread }
          })
          expect(native).toEqual(typescript)
          compared += native.series.reduce((sum, samples) => sum + samples.length, 0)
        }
      }
      await temporary?.remove()
    }
    expect(compared).toBeGreaterThan(10_000)
  })

  it('are those that select gives where samples were deleted: what still stands in a row is not read', async () => {
    for (const scrapeCount of [20, 48, 50, 97, 130]) {
      const { namespace, labels, refs } = await filled(scrapeCount)
      const newestMs = START + (scrapeCount - 1) * 15_000
      const range = { startMs: newestMs - 300_000 + 1, endMs: newestMs + 1 }
      for (const [id, startBack, endBack] of [
        [3, 200_000, 100_000],
        [4, 60_000, -1],
        [5, 10_000_000, 30_000],
        [6, 10_000_000, -1],
      ]) {
        const matchers = [{ name: 'id', operator: '=', value: String(id) }] as const
        await namespace.deleteSamples({ matchers, startMs: newestMs - startBack, endMs: newestMs - endBack })
      }
      const wanted = await readSamples(namespace, { matchers: ALL, ...range })
      const recent = await namespace.readRecent(refs, range.startMs, range.endMs)
      const found = bySeries(recent!)
      for (let i = 0; i < 50; i++) expect(found[i], `series ${i}`).toEqual(wanted.get(labels[i].key) ?? [])
      expect(found[6]).toEqual([])
      await temporary?.remove()
    }
  })

  it('stand side by side where series have the same times', async () => {
    const { namespace, refs } = await filled(130)
    const endMs = START + 129 * 15_000 + 1
    const { runCount, runs } = (await namespace.readRecent(refs, endMs - 60_000, endMs))!
    // The first fifty series miss nothing.
    expect([...runs.subarray(0, 2)]).toEqual([50, 4])
    expect(runCount).toBeLessThan(SERIES - 40)
  })

  it('are not read where the range is in two blocks, or sealed', async () => {
    const { namespace, refs } = await filled(40)
    expect(await namespace.readRecent(refs, START - 7_200_000, START + 60_000)).toBeNull()
    await namespace.flush(Infinity)
    expect(await namespace.readRecent(refs, START, START + 600_000)).toBeNull()
  })

  it('stay what they are while another namespace is asked', async () => {
    temporary = await openTemporaryDatabase({ nowMs: NOW, syncMode: 'never', namespaces: { default: {}, other: {} } })
    const [first, second] = ['default', 'other'].map((name) => temporary!.database.namespace(name))
    const labels = { __name__: 'm' }
    await first.appendSamples([{ labels, timestampMs: START, value: 1 }])
    await second.appendSamples([{ labels, timestampMs: START, value: 2 }])
    const refs = await first.resolveLabels([Labels.from(labels)])
    expect(await second.resolveLabels([Labels.from(labels)])).toEqual(refs)
    const found = await Promise.all([first, second].map((one) => one.readRecent(refs, START, START + 1)))
    expect(found.map((recent) => recent?.values[0])).toEqual([1, 2])
  })
})
