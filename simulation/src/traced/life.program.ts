/** The life on a real disk: `node life.mjs DIRECTORY`. */
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { liveShortly } from './life.js'

const [directory] = process.argv.slice(2)
const env = nodeEnv()
await liveShortly(directory, { ...env, clock: { ...env.clock, wallMs: () => 10_000_000 } })
