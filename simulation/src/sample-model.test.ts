import { describe, expect, it } from 'vitest'
import { SampleModel } from './sample-model.js'

const sample = { series: 'up', timestampMs: 10, bits: 1n }
const found = (...samples: { timestampMs: number; bits: bigint }[]) => new Map([['up', samples]])
const nothing = new Map()

describe('the model of what must be there', () => {
  it('asks for what was acknowledged, and allows what was only sent', () => {
    const model = new SampleModel()
    model.submit([sample])
    expect(model.check(nothing)).toEqual([])
    expect(model.check(found(sample))).toEqual([])
    model.acknowledge([sample])
    expect(model.check(nothing)).toEqual(['up at 10: was acknowledged, and is lost'])
    expect(model.check(found(sample))).toEqual([])
  })

  it('finds phantoms, other bits, duplicates and what comes back', () => {
    const model = new SampleModel()
    expect(model.check(found(sample))).toEqual(['up at 10: was never written'])
    model.submit([sample])
    model.acknowledge([sample])
    expect(model.check(found({ timestampMs: 10, bits: 2n }))).toHaveLength(1)
    expect(model.check(found(sample, sample))).toEqual(['up at 10: out of order, or twice'])
    model.delete(() => true, 0, 10, 'absent')
    expect(model.check(found(sample))).toEqual([])
    model.delete(() => true, 0, 11, 'absent')
    expect(model.check(found(sample))).toEqual(['up at 10: came back after it was gone'])
  })

  it('decides what was in doubt when it settles', () => {
    const model = new SampleModel()
    const other = { ...sample, timestampMs: 20 }
    model.submit([sample, other])
    model.settle(found(sample))
    expect(model.check(found(sample))).toEqual([])
    expect(model.check(nothing)).toHaveLength(1)
    expect(model.check(found(sample, other))).toHaveLength(1)
  })

  it('lets a refused sample be absent and an expired one go', () => {
    const model = new SampleModel()
    const other = { ...sample, timestampMs: 20 }
    model.submit([sample, other])
    model.acknowledge([sample, other], (index) => index === 1)
    model.expireBefore(15)
    expect(model.check(nothing)).toEqual([])
    expect(model.seriesThatMustBe()).toEqual([])
  })
})
