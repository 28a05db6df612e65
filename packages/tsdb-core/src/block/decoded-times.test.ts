import { expect, test } from 'vitest'
import { DecodedTimes } from './decoded-times.js'

/** Column c of owner o. */
function columnOf(owner: number, column: number): Float64Array {
  return Float64Array.from({ length: 1 + (column % 600) }, (_, i) => owner * 1e9 + column * 1e4 + i)
}

test('a column is read as it was kept, or not at all', () => {
  const times = new DecodedTimes()
  const owners = [times.newOwner(), times.newOwner(), times.newOwner()]
  const out = new Float64Array(700)
  let foundCount = 0
  let seed = 7
  for (let round = 0; round < 20_000; round++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    const owner = owners[seed % 3]
    const column = (seed >>> 8) % 1500
    const wanted = columnOf(owner, column)
    const count = times.read(owner, column, out, 5)
    if (count === 0) times.keep(owner, column, Float64Array.of(-1, ...wanted, -1), 1, wanted.length)
    else {
      foundCount++
      expect(out.subarray(5, 5 + count)).toEqual(wanted)
    }
  }
  expect(foundCount).toBeGreaterThan(1_000)
})

test('all columns of a block of a thousand targets stay, long ones do not', () => {
  const times = new DecodedTimes()
  const owner = times.newOwner()
  for (let column = 0; column < 1024; column++) times.keep(owner, column, Float64Array.of(column, column + 1), 0, 2)
  const out = new Float64Array(2)
  for (let column = 0; column < 1024; column++) expect(times.read(owner, column, out, 0)).toBe(2)
  times.keep(owner, 2000, new Float64Array(513), 0, 513)
  expect(times.read(owner, 2000, new Float64Array(513), 0)).toBe(0)
  expect(times.read(times.newOwner(), 0, out, 0)).toBe(0)
})
