import { expect, it } from 'vitest'
import { GroupsCache } from './sealed-groups.js'

/** Of so many series, each a group of its own with ten labels. */
function distinct(count: number) {
  return { groups: new Uint32Array(count), texts: Array<string[]>(count).fill(Array<string>(20).fill('text')) }
}

it('groups of many lists and clauses stay within their memory, and what was used last is kept', () => {
  const cache = new GroupsCache()
  const hot = new Uint32Array(10)
  const hotGroups = { groups: new Uint32Array(10), texts: [['job', 'api']] }
  cache.set(hot, 'by job', hotGroups)
  cache.set(hot, 'by instance', hotGroups)
  const lists = Array.from({ length: 60 }, () => new Uint32Array(1000))
  for (const [i, series] of lists.entries()) {
    for (const clause of ['a', 'b', 'c']) cache.set(series, clause, distinct(1000))
    expect(cache.sizeBytes).toBeLessThanOrEqual(32 << 20)
    expect(cache.get(hot, 'by job'), `after list ${i}`).toBe(hotGroups)
  }
  expect(cache.get(lists[0], 'a')).toBeUndefined()
  expect(cache.get(hot, 'by instance')).toBeUndefined()
  expect(cache.get(lists[59], 'c')?.groups.length).toBe(1000)
})

it('one that would push out many is not kept, and one that is set again counts once', () => {
  const cache = new GroupsCache()
  const large = new Uint32Array(40_000)
  cache.set(large, 'a', distinct(40_000))
  expect([cache.get(large, 'a'), cache.sizeBytes]).toEqual([undefined, 0])
  const small = new Uint32Array(10)
  cache.set(small, 'a', distinct(10))
  const { sizeBytes } = cache
  cache.set(small, 'a', distinct(10))
  expect(cache.sizeBytes).toBe(sizeBytes)
})
