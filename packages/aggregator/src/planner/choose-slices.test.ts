import { describe, expect, it } from 'vitest'
import { chooseSlices, type SliceRequest, type Tier } from './choose-slices.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const now = 1000 * DAY + 7 * MINUTE

const tier = (namespace: string, resolutionMs: number, heldMs: number, behindMs = resolutionMs + 10_000): Tier => ({
  namespace,
  resolutionMs,
  heldFromMs: resolutionMs === 0 ? now - heldMs : Math.ceil((now - heldMs) / resolutionMs) * resolutionMs,
  heldUntilMs: resolutionMs === 0 ? Infinity : Math.floor((now - behindMs) / resolutionMs) * resolutionMs,
})
const raw = tier('default', 0, 15 * DAY)
const minutes = tier('1m_90d', MINUTE, 90 * DAY)
const hours = tier('1h_2y', HOUR, 730 * DAY)

function request(days: number, stepMs: number, rangeMs: number, more: Partial<SliceRequest> = {}): SliceRequest {
  const evaluationEndMs = Math.ceil(now / stepMs) * stepMs
  const evaluationStartMs = evaluationEndMs - days * DAY
  return {
    afterMs: evaluationStartMs - rangeMs,
    untilMs: evaluationEndMs,
    stepMs,
    rangeMs,
    evaluationStartMs,
    evaluationEndMs,
    isInstant: false,
    resolutionMsMax: Infinity,
    ...more,
  }
}
const names = (tiers: Tier[], wanted: SliceRequest) =>
  chooseSlices(tiers, wanted).map(({ tier: { namespace } }) => namespace)

describe('choosing resolutions', () => {
  it('reads raw for a short query, 1h for months by the hour, 1m where 5 minutes are asked for', () => {
    expect(names([raw, minutes, hours], request(0.5, MINUTE, 5 * MINUTE))).toEqual(['default'])
    expect(names([raw, minutes, hours], request(60, HOUR, HOUR))).toEqual(['1h_2y', '1m_90d', 'default'])
    expect(names([raw, minutes, hours], request(60, HOUR, 5 * MINUTE))).toEqual(['1m_90d', 'default'])
  })

  it('reads what is left where nothing else is', () => {
    expect(names([raw, minutes, hours], request(120, HOUR, 5 * MINUTE))).toEqual(['1h_2y', '1m_90d', 'default'])
  })

  it('meets at ends of windows of both sides, without gap or overlap', () => {
    for (const [days, stepMs, rangeMs] of [
      [60, HOUR, HOUR],
      [120, HOUR, 5 * MINUTE],
      [400, DAY, DAY],
      [20, 7 * MINUTE, 90_000],
    ]) {
      const wanted = request(days, stepMs, rangeMs)
      const slices = chooseSlices([raw, minutes, hours], wanted)
      expect(slices[0].afterMs).toBe(wanted.afterMs)
      expect(slices.at(-1)!.untilMs).toBe(wanted.untilMs)
      slices.slice(1).forEach((slice, index) => {
        const before = slices[index]
        expect(slice.afterMs).toBe(before.untilMs)
        for (const { resolutionMs } of [slice.tier, before.tier]) {
          if (resolutionMs > 0) expect(slice.afterMs % resolutionMs).toBe(0)
        }
      })
    }
  })

  it('keeps to the coarsest resolution that was allowed', () => {
    expect(names([raw, minutes, hours], request(60, HOUR, HOUR, { resolutionMsMax: MINUTE }))).toEqual([
      '1m_90d',
      'default',
    ])
    expect(names([raw, minutes, hours], request(10, HOUR, HOUR, { resolutionMsMax: 0 }))).toEqual(['default'])
  })

  it('takes windows for a range that does not fit them only if it is much longer', () => {
    expect(names([raw, minutes], request(10, HOUR, 90_000))).toEqual(['default'])
    expect(names([raw, minutes], request(10, HOUR, 90_000 * 10))).toEqual(['1m_90d', 'default'])
  })

  it('has no slice where nobody holds anything', () => {
    expect(chooseSlices([tier('1m_90d', MINUTE, DAY)], request(10, HOUR, HOUR))).toMatchObject([
      { tier: { namespace: '1m_90d' } },
    ])
    expect(chooseSlices([], request(10, HOUR, HOUR))).toEqual([])
  })
})
