import { describe, expect, it } from 'vitest'
import { ByteBudget } from './admission.js'
import { BodyBuffer } from './body-buffer.js'
import { BodyPool } from './body-pool.js'

const KIB = 1 << 10
const open = (budget: ByteBudget, sizeBytes: number, sizeBytesMax = 1_000 * KIB) =>
  BodyBuffer.open({ pool: new BodyPool(1_000 * KIB), budget, sizeBytesMax }, sizeBytes)

describe('BodyBuffer', () => {
  it('reserves what it grows to, and gives all of it back', () => {
    const budget = new ByteBudget(1_000 * KIB)
    const buffer = open(budget, 64 * KIB)
    const part = new Uint8Array(50 * KIB).fill(7)
    for (let i = 0; i < 10; i++) expect(buffer?.append(part)).toBe('appended')
    expect(buffer?.bytes.every((byte) => byte === 7)).toBe(true)
    expect(buffer?.length).toBe(500 * KIB)
    expect(budget.usedBytes).toBeGreaterThanOrEqual(500 * KIB)
    buffer?.release()
    expect(budget.usedBytes).toBe(0)
  })

  it('refuses to grow past its limit, or past the budget when others hold a part of it', () => {
    const budget = new ByteBudget(200 * KIB)
    expect(open(budget, 64 * KIB, 100 * KIB)?.append(new Uint8Array(101 * KIB))).toBe('too-large')
    const second = open(budget, 64 * KIB)
    expect(second?.append(new Uint8Array(150 * KIB))).toBe('overloaded')
    expect(budget.refusedCount).toBe(1)
    expect(open(budget, 100 * KIB)).toBeNull()
  })

  it('grows past the budget when it is alone: it could never come in otherwise', () => {
    const budget = new ByteBudget(100 * KIB)
    const buffer = open(budget, 64 * KIB)
    expect(buffer?.append(new Uint8Array(150 * KIB))).toBe('appended')
    const beside = { pool: new BodyPool(0), budget, sizeBytesMax: 1_000 * KIB }
    expect(BodyBuffer.open(beside, 64 * KIB, buffer?.reservedBytes)?.append(new Uint8Array(300 * KIB))).toBe('appended')
    expect(open(budget, 1)).toBeNull()
  })
})
