/** The engine's clock on Node, for those who give it none. */
import type { EngineClock } from '../../engine/clock.js'

export const nodeClock: EngineClock = {
  monotonicMs: () => performance.now(),
  yield: () => new Promise((resolve) => setImmediate(resolve)),
}
