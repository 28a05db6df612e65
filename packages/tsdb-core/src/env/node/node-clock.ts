import type { Clock } from '../clock.js'
import type { Random } from '../random.js'

export function nodeClock(): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    setTimer(delayMs, callback) {
      const timer = setTimeout(callback, Math.min(delayMs, TIMER_DELAY_MS_MAX))
      timer.unref()
      return { cancel: () => clearTimeout(timer) }
    },
    yield: () => new Promise((resolve) => setImmediate(resolve)),
  }
}

/** Node turns a longer delay into one millisecond. */
const TIMER_DELAY_MS_MAX = 2 ** 31 - 1

export function nodeRandom(): Random {
  const pool = new Uint32Array(256)
  let next = pool.length
  return {
    u32() {
      if (next === pool.length) {
        crypto.getRandomValues(pool)
        next = 0
      }
      return pool[next++]
    },
  }
}
