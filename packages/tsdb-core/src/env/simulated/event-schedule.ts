import type { Clock } from '../clock.js'
import type { SeededRandom } from './seeded-random.js'

/** What a simulated device needs of its simulation. */
export interface EventSchedule {
  readonly random: SeededRandom
  readonly clock: Clock
  readonly nowMs: number
  /** Lets `happen` come after `delayMs`, unless the present incarnation has crashed by then. */
  at(delayMs: number, happen: () => void): { cancel(): void }
  /** The power goes: the present incarnation ends at once. */
  stop(): void
}
