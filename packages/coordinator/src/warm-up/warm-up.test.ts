import type { Clock } from '@varve/tsdb-core/env'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { describe, expect, it } from 'vitest'
import type { QueryLimits } from '../api/query-routes.js'
import { warmUp } from './warm-up.js'

const limits: QueryLimits = {
  timeoutMs: 10_000,
  lookbackMs: 300_000,
  samplesMax: 1_000_000,
  seriesMax: 10_000,
  bytesMax: 1 << 28,
}

describe('warming up', () => {
  const env = nodeEnv()

  it('asks every kind of query and gets an answer to each', async () => {
    const { signal } = new AbortController()
    expect(await warmUp({ env, limits, signal, delayMs: 0, busyMsMax: 30_000, passCountMax: 2 })).toBe(80)
  })

  it('ends when its time is up, at the latest one query later', async () => {
    const { signal } = new AbortController()
    expect(await warmUp({ env, limits, signal, delayMs: 0, busyMsMax: 0 })).toBe(0)
  })

  it('tells of a query that is not answered', async () => {
    const { signal } = new AbortController()
    const tight = { ...limits, samplesMax: 1 }
    await expect(warmUp({ env, limits: tight, signal, delayMs: 0 })).rejects.toThrow('was answered 422')
  })

  /** Time passes with timers only, and writes take half of it until `busyUntilMs`. Resolves with how long it all took. */
  async function besideWrites(busyUntilMs: number): Promise<number> {
    const { signal } = new AbortController()
    let nowMs = 0
    let writesMs = 0
    const clock: Clock = {
      ...env.clock,
      monotonicMs: () => nowMs,
      setTimer(delayMs, callback) {
        const timer = setImmediate(() => {
          writesMs += nowMs < busyUntilMs ? delayMs / 2 : delayMs / 100
          nowMs += delayMs
          callback()
        })
        return { cancel: () => clearImmediate(timer) }
      },
    }
    const options = { env: { ...env, clock }, limits, signal, passCountMax: 1, writesMs: () => writesMs }
    expect(await warmUp(options)).toBe(40)
    return nowMs
  }

  it('waits while writes hold the event loop, and goes on when they have ended', async () => {
    const tookMs = await besideWrites(60_000)
    expect(tookMs).toBeGreaterThanOrEqual(60_000)
    expect(tookMs).toBeLessThan(63_000)
  })

  it('goes on after ten minutes beside writes that do not end', async () => {
    const tookMs = await besideWrites(3_600_000)
    expect(tookMs).toBeGreaterThanOrEqual(600_000)
    expect(tookMs).toBeLessThan(603_000)
  })

  it('stops at once when the program stops', async () => {
    const controller = new AbortController()
    const running = warmUp({ env, limits, signal: controller.signal })
    controller.abort(new Error('the program stops'))
    await expect(running).rejects.toThrow('the program stops')
  })
})
