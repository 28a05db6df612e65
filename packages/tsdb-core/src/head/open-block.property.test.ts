import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HeadIndex } from '../index/head-index.js'
import { halvesOf } from '../model/sample.js'
import { BatchBuilder } from '../read/batch-builder.js'
import { OpenBlockSource } from '../read/open-block-source.js'
import { CONFLICT, OpenBlock, SAME, STORED } from './open-block.js'
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

function read(block: OpenBlock, range: { startMs: number; endMs: number; replaces: boolean }): number[][] {
  const series = new SeriesTable()
  // One column a series here, whatever the block does with equal times.
  const source = new OpenBlockSource(block, series, new HeadIndex(series), 1)
  const builder = new BatchBuilder([source], { ...range, exact: true })
  const entries = { sources: Uint16Array.of(0), series: Uint32Array.of(7) }
  builder.begin(builder.sampleCountOf(entries, 0, 1))
  if (!builder.add(entries, 0, 1)) return []
  const { timestampsMs, values } = builder.finish()
  return [...timestampsMs].map((time, i) => [time, values[i]])
}
