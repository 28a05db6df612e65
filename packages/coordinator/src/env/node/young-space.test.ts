import { expect, test } from 'vitest'
import { youngSpaceKeeper } from './young-space.js'

test('the space grows until it has its size, and again after it was given back', () => {
  let sizeBytes = 2 << 20
  const factors: number[] = []
  const look = youngSpaceKeeper({ sizeBytes: () => sizeBytes, setGrowthFactor: (factor) => factors.push(factor) })
  look()
  expect(factors).toEqual([])
  sizeBytes = 16 << 20
  look()
  look()
  expect(factors).toEqual([1])
  sizeBytes = 2 << 20
  look()
  look()
  expect(factors).toEqual([1, 2])
})
