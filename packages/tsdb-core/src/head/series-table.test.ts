import { describe, expect, it } from 'vitest'
import { encodeCanonicalLabels, hashBytes } from '../model/canonical-labels.js'
import { Labels } from '../model/labels.js'
import { SeriesTable } from './series-table.js'

const bytesOf = (i: number) => encodeCanonicalLabels(Labels.fromSorted(['__name__', `m_${i % 7}`, 'id', `id-${i}`]))

function find(table: SeriesTable, i: number): number {
  const bytes = bytesOf(i)
  return table.find(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length))
}

function intern(table: SeriesTable, i: number): number {
  const bytes = bytesOf(i)
  return table.intern(bytes, 0, bytes.length)
}

describe('the table of series', () => {
  it('finds each series at each step of its growth', () => {
    const table = new SeriesTable()
    for (let i = 0; i < 3_000; i++) {
      expect(find(table, i)).toBe(0)
      expect(intern(table, i)).toBe(i + 1)
      // The first, the last and one between: places move a few at a time.
      for (const known of [0, i >>> 1, i]) expect(find(table, known)).toBe(known + 1)
    }
    for (let i = 0; i < 3_000; i++) expect(find(table, i)).toBe(i + 1)
    expect(table.labelsOf(2_000).get('id')).toBe('id-1999')
  })

  it('forgets what is removed while it grows, and gives a series that comes again another reference', () => {
    const table = new SeriesTable()
    const refs = new Map<number, number>()
    for (let i = 0; i < 6_000; i++) {
      refs.set(i, intern(table, i))
      // Young ones and old ones go, so that both tables of a growth lose some.
      for (const gone of i % 3 === 0 ? [i - 1, i >>> 2] : []) {
        const ref = refs.get(gone)
        if (ref === undefined) continue
        table.remove(ref)
        refs.delete(gone)
        expect(find(table, gone)).toBe(0)
        expect(table.isLive(ref)).toBe(false)
      }
    }
    expect(table.liveCount).toBe(refs.size)
    for (let i = 0; i < 6_000; i++) expect(find(table, i)).toBe(refs.get(i) ?? 0)
    const again = intern(table, 2)
    expect(again).toBe(6_001)
    expect(find(table, 2)).toBe(again)
  })

  it('stays small while as many series go as come', () => {
    const table = new SeriesTable()
    for (let i = 0; i < 40_000; i++) {
      intern(table, i)
      if (i >= 100) table.remove(i - 99)
    }
    expect(table.liveCount).toBe(100)
    for (let i = 39_900; i < 40_000; i++) expect(find(table, i)).toBe(i + 1)
    expect(find(table, 39_899)).toBe(0)
  })
})
