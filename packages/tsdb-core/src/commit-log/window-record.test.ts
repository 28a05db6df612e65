import { describe, expect, it } from 'vitest'
import { ByteWriter } from '../bytes/byte-writer.js'
import { halvesOf, writeStaleAt } from '../model/sample.js'
import { samplesOfWindow, type WindowBatch } from '../window-batch.js'
import { decodeWindowBatch, encodeWindowBatch, SERIES_PER_WINDOW_RECORD } from './window-record.js'

const lasts = Float64Array.of(1, 2, 3)
writeStaleAt(halvesOf(lasts), 1)
const BATCH: WindowBatch = {
  timestampMs: 1_700_000_040_000,
  count: 3,
  seriesRefs: Uint32Array.of(80, 8, 16),
  masks: Uint8Array.of(0b111, 0b011, 0b010),
  columns: [
    { column: 'last', values: lasts },
    { column: 'count', values: Float64Array.of(4, 4, 4) },
    { column: 'increase', values: Float64Array.of(7, 99, 99) },
  ],
}

function encoded(batch: WindowBatch): Uint8Array {
  const out = new ByteWriter()
  encodeWindowBatch(out, { namespaceId: 3, shard: 1, batch })
  return out.view().slice()
}

/** Samples with the bits of their values. */
function samplesOf(batch: WindowBatch) {
  const { seriesRefs, timestampsMs, values } = samplesOfWindow(batch, 1)
  const bits = new BigUint64Array(values.buffer, 0, values.length)
  return [...seriesRefs].map((ref, i) => `${ref} ${timestampsMs[i]} ${bits[i].toString(16)}`).sort()
}

describe('the record of a window', () => {
  it('gives back the same samples, bit for bit', () => {
    const { namespaceId, shard, batch } = decodeWindowBatch(encoded(BATCH))
    expect({ namespaceId, shard }).toEqual({ namespaceId: 3, shard: 1 })
    expect(samplesOf(batch)).toEqual(samplesOf(BATCH))
    expect(samplesOf(batch)).toContain('9 1700000040000 7ff0000000000002')
  })

  it('takes no bytes for values that no series has, and few for a column of equal ones', () => {
    const count = 1000
    const column = (value: number) => new Float64Array(count).fill(value)
    const seriesRefs = Uint32Array.from({ length: count }, (_, i) => (i + 1) * 8)
    const bytes = encoded({
      timestampMs: 1_700_000_040_000,
      count,
      seriesRefs,
      masks: new Uint8Array(count).fill(0b01),
      columns: [
        { column: 'count', values: column(4) },
        { column: 'sum', values: column(9) },
      ],
    })
    expect(bytes.length).toBeLessThan(40)
    expect(decodeWindowBatch(bytes).batch.columns).toEqual([{ column: 'count', values: column(4) }])
  })

  it('holds an empty window', () => {
    const empty = { ...BATCH, count: 0 }
    expect(decodeWindowBatch(encoded(empty)).batch.count).toBe(0)
  })

  it('is refused when it is cut anywhere, or longer than it says', () => {
    const bytes = encoded(BATCH)
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeWindowBatch(bytes.subarray(0, length))).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
    }
    expect(() => decodeWindowBatch(Uint8Array.of(...bytes, 0))).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
  })

  it('is refused when its counts, references, masks or columns cannot be', () => {
    const many = new ByteWriter()
    many.varint(3)
    many.varint(1)
    many.f64(0)
    many.varint(SERIES_PER_WINDOW_RECORD + 1)
    expect(() => decodeWindowBatch(many.view())).toThrow(/a count of 262145/)
    for (const timestampMs of [Number.NaN, Number.POSITIVE_INFINITY, 0.5]) {
      expect(() => decodeWindowBatch(encoded({ ...BATCH, timestampMs }))).toThrow(
        expect.objectContaining({ code: 'CORRUPT' }),
      )
    }
    const bytes = encoded(BATCH)
    // Masks follow two varints, a time, a count and three references.
    const masksAt = bytes.indexOf(1, 11 + 4)
    const stranger = Uint8Array.from(bytes)
    stranger[masksAt + 1] = 0x80
    expect(() => decodeWindowBatch(stranger)).toThrow(/mask/)
    const unknown = Uint8Array.from(bytes)
    unknown[masksAt + 4] |= 0x80
    expect(() => decodeWindowBatch(unknown)).toThrow(/column 7 does not exist/)
    expect(() =>
      encodeWindowBatch(new ByteWriter(), {
        namespaceId: 1,
        shard: 0,
        batch: { ...BATCH, count: SERIES_PER_WINDOW_RECORD + 1 },
      }),
    ).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
