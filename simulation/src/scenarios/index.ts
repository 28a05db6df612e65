import { clockJumps } from './clock-jumps.js'
import { crashEverywhere, crashTwice } from './crash-everywhere.js'
import { everyBit } from './every-bit.js'
import { failEveryCall, failEverySync, fullDisk } from './failing-disk.js'
import { randomLife } from './random-life.js'
import type { Scenario } from './scenario.js'
import { slowDisk } from './slow-disk.js'

export type { Scenario, ScenarioFigures, ScenarioOptions } from './scenario.js'
export { ScenarioFailure } from './scenario.js'

/** All that run on one seed. */
export const SCENARIOS: readonly Scenario[] = [
  crashEverywhere,
  crashTwice,
  failEveryCall,
  failEverySync,
  fullDisk,
  slowDisk,
  clockJumps,
  everyBit,
  randomLife,
]
