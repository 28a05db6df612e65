import { expect, test } from 'vitest'
import { MemberIndex } from './member-index.js'

test('it says what a map says, over dense, distant and deleted references', () => {
  const index = new MemberIndex()
  const naive = new Map<number, number>()
  let random = 7
  for (let step = 0; step < 20_000; step++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    const base = random % 3 === 0 ? 0xffff_f000 : random % 3 === 1 ? 0x8000_0000 : 0
    const ref = base + ((random >>> 8) % 3000)
    if ((random >>> 24) % 4 === 0) expect(index.delete(ref)).toBe(naive.delete(ref))
    else {
      index.set(ref, step)
      naive.set(ref, step)
    }
    expect(index.get(ref)).toBe(naive.get(ref) ?? -1)
  }
  expect(index.size).toBe(naive.size)
  for (const [ref, member] of naive) expect(index.get(ref)).toBe(member)
})
