import { describe, expect, it } from 'vitest'
import { formatDuration, parseDuration } from './duration.js'
import { parseStoragePolicy, policyOfNamespace, windowEndOf } from './storage-policy.js'

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['2y', 2 * 365 * 86_400_000],
    ['forever', Infinity],
  ])('%s', (text, ms) => expect(parseDuration(text)).toBe(ms))

  it.each(['', '0s', '1', '1m1h', '-1m', '1.5h', '1mo', '1m '])('%j is none', (text) =>
    expect(parseDuration(text)).toBeNull(),
  )

  it('are written so that they read back', () => {
    for (const ms of [1, 1500, 90_000, 3_600_000, 90 * 86_400_000, Infinity]) {
      expect(parseDuration(formatDuration(ms))).toBe(ms)
    }
  })
})

describe('storage policies', () => {
  it('name their namespace, and are found by it', () => {
    expect(parseStoragePolicy('1m:90d')).toMatchObject({ namespace: '1m_90d' })
    expect(policyOfNamespace('1m_90d')).toMatchObject({ text: '1m:90d', resolutionMs: 60_000 })
    expect(policyOfNamespace('default')).toBeNull()
  })

  it.each(['1m', '1m:2m:3m', 'x:1d', '1m:x', '500ms:1d', '2d:90d', '1h:1m'])('%j is refused', (text) => {
    expect(parseStoragePolicy(text)).toBeTypeOf('string')
  })

  it('have left-open windows that are aligned to the epoch', () => {
    expect([0, 1, 60_000, 60_001].map((time) => windowEndOf(time, 60_000))).toEqual([0, 60_000, 60_000, 120_000])
  })
})
