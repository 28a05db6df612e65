import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HeadIndex } from '../index/head-index.js'
import { halvesOf } from '../model/sample.js'
import { BatchBuilder } from '../read/batch-builder.js'
import { OpenBlockSource } from '../read/open-block-source.js'
import { CONFLICT, OpenBlock, SAME, STORED } from './open-block.js'
import { ROW_SAMPLES } from './row-slab.js'
import { SeriesTable } from './series-table.js'

const LENGTH = 400

/** Mostly rising times with some that come late, or all in disorder. */
const times = fc.oneof(
  fc.array(fc.nat(LENGTH - 1), { minLength: 100, maxLength: 600 }),
  fc
    .tuple(
      fc.integer({ min: 100, max: LENGTH }),
      fc.array(fc.tuple(fc.nat(LENGTH - 1), fc.nat(LENGTH - 1)), { maxLength: 30 }),
    )
    .map(([count, swaps]) => {
      const list = Array.from({ length: count }, (_, i) => i)
      for (const [a, b] of swaps) list.splice(a % count, 0, ...list.splice(b % count, 1))
      return list
    }),
)

describe('an open block', () => {
  it.each([false, true])('keeps what a map keeps, whatever the order (replacing: %s)', (replaces) => {
    fc.assert(
      fc.property(times, fc.nat(3), fc.nat(LENGTH), fc.nat(LENGTH), (order, kinds, a, b) => {
        const block = new OpenBlock(1000, 1000 + LENGTH, replaces)
        const slot = block.addSlot(7)
        const model = new Map<number, number>()
        const values = new Float64Array(1)
        order.forEach((time, i) => {
          values[0] = kinds === 0 ? time : i % (kinds + 1)
          const known = model.get(time)
          const wanted = known === undefined ? STORED : known === values[0] ? SAME : replaces ? STORED : CONFLICT
          expect(block.append(slot, 1000 + time, halvesOf(values), 0, 0)).toBe(wanted)
          if (wanted === STORED) model.set(time, values[0])
        })
        const [startMs, endMs] = [1000 + Math.min(a, b), 1000 + Math.max(a, b)]
        for (const range of [
          { startMs, endMs },
          { startMs: 0, endMs: 9999 },
        ]) {
          const wanted = [...model]
            .map(([time, value]) => [1000 + time, value])
            .filter(([time]) => time >= range.startMs && time < range.endMs)
            .sort((x, y) => x[0] - y[0])
          expect(read(block, { ...range, replaces })).toEqual(wanted)
        }
      }),
      { numRuns: 150 },
    )
  })
})

describe('series that fill up together', () => {
  /** How many series, how many scrapes, and at which of them full rows are compressed, some samples late or missing. */
  const scrapes = fc.record({
    series: fc.integer({ min: 1, max: 300 }),
    count: fc.integer({ min: 40, max: 160 }),
    compressEvery: fc.integer({ min: 1, max: 60 }),
    absent: fc.uniqueArray(fc.nat(299), { maxLength: 20 }),
    withStarts: fc.boolean(),
    deletedAt: fc.nat(159),
  })

  it('are read as they were written, whether their rows are compressed together or not', () => {
    fc.assert(
      fc.property(scrapes, ({ series, count, compressEvery, absent, withStarts, deletedAt }) => {
        const together = new OpenBlock(1000, 1000 + LENGTH, false)
        const alone = new OpenBlock(1000, 1000 + LENGTH, false)
        const values = new Float64Array(1)
        const halves = halvesOf(values)
        for (const block of [together, alone]) {
          for (let key = 1; key <= series; key++) block.addSlot(key)
          for (let scrape = 0; scrape < count; scrape++) {
            for (let slot = 0; slot < series; slot++) {
              if (absent.includes(slot) && scrape % 7 === slot % 7) continue
              // Some bits of a NaN, which must stay what they are.
              if (scrape % 11 === slot % 11) halves.set([slot, 0x7ff80000 + scrape])
              else values[0] = slot * 0.5 + scrape
              const startMs = withStarts && slot % 5 === 0 ? 500 : 0
              if (block.append(slot, 1000 + scrape * 2, halves, 0, startMs) !== STORED) throw new Error('not stored')
            }
            if (scrape === deletedAt) block.deleteSamples(0, 1000, 1010)
            if (block === together && scrape % compressEvery === 0) block.compressFullRows()
          }
        }
        const differing = Array.from({ length: series }, (_, i) => i + 1).filter(
          (key) => Buffer.compare(bitsOf(together, key), bitsOf(alone, key)) !== 0,
        )
        expect(differing).toEqual([])
        expect(together.sampleCount).toBe(alone.sampleCount)
      }),
      { numRuns: 20 },
    )
  })

  it('are read as they were written when scrapes are appended in runs', () => {
    const batches = fc.array(
      fc.record({ atMs: fc.nat(LENGTH - 1), keys: fc.array(fc.integer({ min: 1, max: 130 }), { maxLength: 200 }) }),
      { minLength: 1, maxLength: 100 },
    )
    fc.assert(
      fc.property(batches, fc.boolean(), (batches, sorted) => {
        const inRuns = new OpenBlock(1000, 1000 + LENGTH, false)
        const alone = new OpenBlock(1000, 1000 + LENGTH, false)
        if (sorted) batches.sort((a, b) => a.atMs - b.atMs)
        for (const { atMs, keys } of batches) {
          const values = new Float64Array(keys.length)
          const halves = halvesOf(values)
          keys.forEach((key, i) => {
            // Signalling, as the staleness marker: arithmetic would make another NaN of it.
            if (key % 3 === 0) halves.set([key, 0x7ff00000], i * 2)
            else values[i] = key + atMs
          })
          const times = new Float64Array(keys.length).fill(1000 + atMs)
          const refs = Uint32Array.from(keys)
          let k = 0
          while ((k = inRuns.appendRun(refs, times, values, halves, k, keys.length, 0, Infinity)) < keys.length) {
            appendOne(inRuns, keys[k], times[k], halves, k++)
          }
          inRuns.compressFullRows()
          keys.forEach((key, i) => {
            appendOne(alone, key, times[i], halves, i)
          })
        }
        for (let key = 1; key <= 130; key++) {
          if (alone.slotOf(key) >= 0) expect(bitsOf(inRuns, key)).toEqual(bitsOf(alone, key))
        }
        expect(inRuns.sampleCount).toBe(alone.sampleCount)
        expect([inRuns.firstOffset, inRuns.lastOffset]).toEqual([alone.firstOffset, alone.lastOffset])
      }),
      { numRuns: 60 },
    )
  })

  it('are not taken in a run outside of the block or of what is allowed', () => {
    const block = new OpenBlock(1000, 2000, false)
    block.addSlot(1)
    const values = Float64Array.of(1, 2, 3)
    const refs = Uint32Array.of(1, 1, 1)
    const append = (times: number[], firstMs: number, endMs: number) =>
      block.appendRun(refs, Float64Array.from(times), values, halvesOf(values), 0, 3, firstMs, endMs)
    expect(append([999, 1000, 1001], 0, Infinity)).toBe(0)
    expect(append([1000, 1999, 2000], 0, Infinity)).toBe(2)
    block.deleteSamples(block.slotOf(1), 0, 3000)
    expect(append([1010, 1020, 1030], 1011, Infinity)).toBe(0)
    expect(append([1010, 1020, 1030], 1010, 1030)).toBe(2)
    expect(block.sampleCount).toBe(2)
  })

  it('become chunks with the sample that fills their rows', () => {
    const block = new OpenBlock(1000, 1000 + LENGTH, false)
    const values = Float64Array.of(1)
    for (let key = 1; key <= 100; key++) block.addSlot(key)
    for (let scrape = 0; scrape < ROW_SAMPLES; scrape++) {
      for (let slot = 0; slot < 100; slot++) block.append(slot, 1000 + scrape, halvesOf(values), 0, 0)
    }
    expect(block.rowCount(99)).toBe(ROW_SAMPLES)
    block.compressFullRows()
    for (let slot = 0; slot < 100; slot++) expect([block.rowCount(slot), block.lastChunk(slot)]).toEqual([0, slot])
  })
})

/** Times and the bits of the values, in the order in which they are held. */
function bitsOf(block: OpenBlock, key: number): Buffer {
  const slot = block.slotOf(key)
  const chunks: number[] = []
  for (let chunk = block.lastChunk(slot); chunk !== 0xffffffff; chunk = block.previousChunk(chunk))
    chunks.unshift(chunk)
  const times = new Float64Array(LENGTH)
  const values = new Float64Array(LENGTH)
  const starts = new Float64Array(LENGTH)
  let count = 0
  for (const chunk of chunks) {
    block.readChunkStarts(chunk, starts, count)
    block.readChunkValues(chunk, values, count)
    count += block.readColumn(block.columnOf(chunk), times, count)
  }
  block.readRowStarts(slot, starts, count)
  block.readRowValues(slot, values, count)
  count += block.readRowTimes(slot, times, count)
  const columns = [times, starts, values].map((column) => Buffer.from(column.buffer, 0, count * 8))
  return Buffer.concat(columns)
}

function read(block: OpenBlock, range: { startMs: number; endMs: number; replaces: boolean }): number[][] {
  const series = new SeriesTable()
  // One column a series here, whatever the block does with equal times.
  const source = new OpenBlockSource(block, series, new HeadIndex(series), 1)
  const builder = new BatchBuilder([source], { ...range, exactColumn: true })
  const entries = { sources: Uint16Array.of(0), series: Uint32Array.of(7) }
  builder.begin()
  if (!builder.add(entries, 0, 1)) return []
  const { timestampsMs, values } = builder.finish()
  return [...timestampsMs].map((time, i) => [time, values[i]])
}

function appendOne(block: OpenBlock, key: number, timestampMs: number, halves: Uint32Array, index: number): void {
  const known = block.slotOf(key)
  block.append(known < 0 ? block.addSlot(key) : known, timestampMs, halves, index, 0)
}
