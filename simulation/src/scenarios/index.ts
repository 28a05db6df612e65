import { clockJumps } from './clock-jumps.js'
import { crashEverywhere, crashTwice } from './crash-everywhere.js'
import { everyBit } from './every-bit.js'
import { failEveryCall, fullDisk } from './failing-disk.js'
import { randomLife } from './random-life.js'
import type { Scenario } from './scenario.js'

export type { Scenario, ScenarioFigures, ScenarioOptions } from './scenario.js'
export { ScenarioFailure } from './scenario.js'

/** All that run on one seed. */
export const SCENARIOS: readonly Scenario[] = [
  crashEverywhere,
  crashTwice,
  failEveryCall,
  fullDisk,
  clockJumps,
  everyBit,
  randomLife,
]
