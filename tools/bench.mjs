// The one benchmark command: `npm run bench -- codec/decode`, `--small`, `--list`, `--save <results page>`.
//
// A name is a part of a benchmark's name, or that of a program that starts servers of its own: `servers/query`,
// `servers/ingest`, `servers/histograms`, `storage/storage` (benchmarks/src/<name>-main.ts).
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const sources = fileURLToPath(new URL('../benchmarks/src/', import.meta.url))
const [name, ...rest] = process.argv.slice(2)
const program = `${sources}${name}-main.ts`
if (process.argv.includes('--list')) {
  for (const file of readdirSync(sources, { recursive: true })) {
    if (file.endsWith('-main.ts')) console.log(file.replace(/-main\.ts$/, ''))
  }
}
const script =
  name !== undefined && existsSync(program) ? [program, ...rest] : [`${sources}run.ts`, ...process.argv.slice(2)]
// From the sources, like the tests; --expose-gc lets a benchmark start from a clean heap.
const options = ['--conditions=source', '--expose-gc', '--import', 'tsx']
const { status, error } = spawnSync(process.execPath, [...options, ...script], { stdio: 'inherit' })
if (error !== undefined) console.error(`bench: ${error.message}`)
process.exitCode = status ?? 1
