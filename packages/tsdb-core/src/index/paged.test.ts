import { expect, test } from 'vitest'
import { PagedU32 } from './paged.js'

test('numbers stay where they were set while the column grows over many pages', () => {
  const column = new PagedU32()
  const sizeBytes = column.sizeBytes
  for (let i = 0; i < 100_000; i++) column.set(i, Math.imul(i, 2_654_435_761) >>> 0)
  for (let i = 0; i < 100_000; i++) {
    if (column.at(i) !== Math.imul(i, 2_654_435_761) >>> 0) expect.fail(`place ${i} holds ${column.at(i)}`)
  }
  expect(sizeBytes).toBeLessThan(1024)
  expect(column.sizeBytes).toBeGreaterThanOrEqual(400_000)
  expect(column.sizeBytes).toBeLessThan(500_000)
})

test('a number is changed in its place', () => {
  const column = new PagedU32()
  column.set(0, 5)
  column.set(1, 6)
  column.set(0, 7)
  expect([column.at(0), column.at(1)]).toEqual([7, 6])
})
