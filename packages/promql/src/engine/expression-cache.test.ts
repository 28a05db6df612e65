import { describe, expect, it } from 'vitest'
import { PromqlError } from '../errors.js'
import { parseExpression } from '../parser/parser.js'
import { ExpressionCache } from './expression-cache.js'

describe('the cache of syntax trees', () => {
  it('gives the tree of each text, and the same one for the same text', () => {
    const cache = new ExpressionCache(undefined)
    const first = cache.parse('sum by (job) (rate(up[5m]))')
    expect(first).toEqual(parseExpression('sum by (job) (rate(up[5m]))'))
    expect(cache.parse('sum by (job) (rate(up[5m]))')).toBe(first)
    expect(cache.parse('sum by (job) (rate(up[6m]))')).toEqual(parseExpression('sum by (job) (rate(up[6m]))'))
  })

  it('says each time what is wrong with a text that does not parse', () => {
    const cache = new ExpressionCache(undefined)
    for (let i = 0; i < 2; i++) expect(() => cache.parse('sum(')).toThrow(PromqlError)
    expect(cache.size).toBe(0)
  })

  it('keeps what was asked last, up to a bound in characters, and no long text', () => {
    const cache = new ExpressionCache(undefined)
    const text = (i: number) => `up{job="${String(i).padStart(1000, '0')}"}`
    const first = cache.parse(text(0))
    for (let i = 1; i < 500; i++) {
      cache.parse(text(i))
      expect(cache.parse(text(0))).toBe(first)
    }
    expect(cache.size).toBeLessThanOrEqual(65)
    const long = `up{job="${'x'.repeat(5000)}"}`
    expect(cache.parse(long)).not.toBe(cache.parse(long))
    expect(cache.parse(text(0))).toBe(first)
  })
})
