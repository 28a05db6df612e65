// The one benchmark command: `npm run bench -- codec/decode`, `--small`, `--list`, `--save <results page>`.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const run = fileURLToPath(new URL('../benchmarks/src/run.ts', import.meta.url))
// From the sources, like the tests; --expose-gc lets a benchmark start from a clean heap.
const options = ['--conditions=source', '--expose-gc', '--import', 'tsx']
const { status, error } = spawnSync(process.execPath, [...options, run, ...process.argv.slice(2)], { stdio: 'inherit' })
if (error !== undefined) console.error(`bench: ${error.message}`)
process.exitCode = status ?? 1
