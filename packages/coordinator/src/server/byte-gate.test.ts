import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ByteGate } from './byte-gate.js'

/** Work that ends when it is told to. */
function held(gate: ByteGate, sizeBytes: number, signal = new AbortController().signal) {
  let end = () => {}
  let begun = false
  const done = gate.run(signal, sizeBytes, () => {
    begun = true
    return new Promise<void>((resolve) => (end = resolve))
  })
  return { done, end: () => end(), hasBegun: () => begun }
}

describe('ByteGate', () => {
  it('lets in what fits, and the others in order', async () => {
    const gate = new ByteGate(100)
    const first = held(gate, 60)
    const second = held(gate, 50)
    const third = held(gate, 10)
    expect([first, second, third].map((one) => one.hasBegun())).toEqual([true, false, false])
    expect(gate.waitingCount).toBe(2)
    first.end()
    await setImmediate()
    expect([second, third].map((one) => one.hasBegun())).toEqual([true, true])
    expect(gate.usedBytes).toBe(60)
    second.end()
    third.end()
    await Promise.all([first.done, second.done, third.done])
    expect(gate.usedBytes).toBe(0)
  })

  it('runs what is larger than all of it alone', async () => {
    const gate = new ByteGate(100)
    const small = held(gate, 1)
    const large = held(gate, 500)
    const after = held(gate, 1)
    small.end()
    await setImmediate()
    expect([large.hasBegun(), after.hasBegun()]).toEqual([true, false])
    large.end()
    await setImmediate()
    expect(after.hasBegun()).toBe(true)
    after.end()
  })

  it('forgets who has gone while waiting, and lets in those behind', async () => {
    const gate = new ByteGate(100)
    const first = held(gate, 60)
    const gone = new AbortController()
    const second = held(gate, 90, gone.signal)
    const third = held(gate, 40)
    gone.abort(new Error('the client has gone'))
    await expect(second.done).rejects.toThrow('the client has gone')
    expect([second.hasBegun(), third.hasBegun()]).toEqual([false, true])
    first.end()
    third.end()
    await Promise.all([first.done, third.done])
    await expect(gate.run(gone.signal, 500, () => Promise.resolve('alone'))).resolves.toBe('alone')
  })

  it('is free again when the work fails', async () => {
    const gate = new ByteGate(100)
    const fail = () => Promise.reject(new Error('bad body'))
    await expect(gate.run(new AbortController().signal, 60, fail)).rejects.toThrow('bad body')
    expect(gate.usedBytes).toBe(0)
  })
})
