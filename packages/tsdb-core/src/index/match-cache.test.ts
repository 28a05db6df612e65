import { expect, it } from 'vitest'
import { MATCHES_SIZE_BYTES_MAX, MatchCache } from './match-cache.js'

it('what was asked for longest ago goes when it is full, and its size is told all along', () => {
  let told = 0
  const cache = new MatchCache((deltaBytes) => {
    told += deltaBytes
  })
  const list = (length: number) => new Uint32Array(length)
  const quarter = MATCHES_SIZE_BYTES_MAX / 16
  for (let i = 0; i < 3; i++) cache.set(`key ${i}`, list(quarter))
  expect(cache.get('key 0')).toHaveLength(quarter)
  cache.set('key 3', list(quarter))
  expect(cache.sizeBytes).toBeLessThanOrEqual(MATCHES_SIZE_BYTES_MAX)
  expect(cache.get('key 1')).toBeUndefined()
  expect(cache.get('key 0')).toHaveLength(quarter)
  expect(told).toBe(cache.sizeBytes)
  cache.set('key 0', list(3))
  expect(told).toBe(cache.sizeBytes)
  cache.set('too large', list(MATCHES_SIZE_BYTES_MAX / 8))
  expect(cache.get('too large')).toBeUndefined()
  for (let i = 0; i < 20_000; i++) cache.set(`empty ${i}`, list(0))
  expect(cache.sizeBytes).toBeLessThanOrEqual(MATCHES_SIZE_BYTES_MAX)
  expect(told).toBe(cache.sizeBytes)
  expect(cache.clear()).toBeGreaterThan(0)
  expect([cache.sizeBytes, cache.count, told]).toEqual([0, 0, 0])
})

it('an answer that is the start of a longer list does not keep all of its memory', () => {
  const cache = new MatchCache()
  cache.set('short', new Uint32Array(1000).subarray(0, 10))
  expect(cache.get('short')?.buffer.byteLength).toBe(40)
})
