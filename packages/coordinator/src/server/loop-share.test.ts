import type { Clock } from '@varve/tsdb-core/env'
import { expect, test } from 'vitest'
import { LoopShare } from './loop-share.js'

/** Time passes when it is told to, and with each turn of a timer. */
class SlowClock implements Clock {
  now = 0
  wallMs = () => this.now
  monotonicMs = () => this.now
  setTimer(delayMs: number, callback: () => void) {
    const handle = setImmediate(() => {
      this.now += delayMs
      callback()
    })
    return { cancel: () => clearImmediate(handle) }
  }
  async yield() {
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a turn takes as many writes as fit into it, in order, and the next ones take the rest', async () => {
  const clock = new SlowClock()
  const loop = new LoopShare(clock)
  const begun: string[] = []
  const turn = { at: 0 }
  const tick = () => setImmediate(() => (turn.at++ < 20 ? tick() : undefined))
  tick()
  const write = (id: number) =>
    loop.write(async () => {
      begun.push(`${id} in turn ${turn.at}`)
      clock.now += 3
      return id
    })
  const done = await Promise.all(Array.from({ length: 7 }, (_, i) => write(i)))
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 6])
  expect(begun.map((line) => line.split(' ')[0])).toEqual(['0', '1', '2', '3', '4', '5', '6'])
  const perTurn = new Map<string, number>()
  for (const line of begun) perTurn.set(line.slice(2), (perTurn.get(line.slice(2)) ?? 0) + 1)
  // 3 + 3 + 3 ms: the third one goes beyond 8.
  expect([...perTurn.values()]).toEqual([3, 3, 1])
})

test('a write that fails counts as in flight no more', async () => {
  const clock = new SlowClock()
  const loop = new LoopShare(clock)
  await expect(loop.write(() => Promise.reject(new Error('disk')))).rejects.toThrow('disk')
  expect(loop.queryClock.turnMs()).toBe(8)
})

test('a query takes shorter slices beside writes, and rests after each as long as it took', async () => {
  const clock = new SlowClock()
  const loop = new LoopShare(clock)
  let finish = () => {}
  const writing = loop.write(() => new Promise<void>((resolve) => (finish = resolve)))
  const { queryClock } = loop
  expect(queryClock.turnMs()).toBe(4)
  await loop.query(async () => {
    clock.now += 5
    const endMs = clock.now
    await queryClock.yield()
    expect(clock.now - endMs).toBe(5)
    // A slice that was far too long is not paid back in full.
    clock.now += 500
    const longEndMs = clock.now
    await queryClock.yield()
    expect(clock.now - longEndMs).toBe(10)
  })
  // The next query rests for the last slice of this one, but only while there are writes.
  finish()
  await writing
  clock.now += 5
  const endMs = clock.now
  await queryClock.yield()
  expect(clock.now).toBe(endMs)
  expect(queryClock.turnMs()).toBe(8)
})

test('writes that pause share their turns with those that begin', async () => {
  const clock = new SlowClock()
  const loop = new LoopShare(clock)
  const turn = { at: 0 }
  const tick = () => setImmediate(() => (turn.at++ < 60 ? tick() : undefined))
  tick()
  const msByTurn = new Map<number, number>()
  const slice = () => {
    clock.now += 3
    msByTurn.set(turn.at, (msByTurn.get(turn.at) ?? 0) + 3)
  }
  const write = () =>
    loop.write(async () => {
      slice()
      for (let part = 1; part < 4; part++) {
        await loop.pause()
        slice()
      }
    })
  await Promise.all(Array.from({ length: 6 }, write))
  expect([...msByTurn.values()].reduce((sum, ms) => sum + ms)).toBe(6 * 4 * 3)
  expect(Math.max(...msByTurn.values())).toBeLessThanOrEqual(9)
})
