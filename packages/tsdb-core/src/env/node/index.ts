import type { Env } from '../env.js'
import { nodeClock, nodeRandom } from './node-clock.js'
import { nodeFileSystem } from './node-file-system.js'
import { nodeNetwork } from './node-network.js'

/** The real platform. One for the whole process is enough. */
export function nodeEnv(): Env {
  return { clock: nodeClock(), random: nodeRandom(), files: nodeFileSystem(), network: nodeNetwork() }
}
