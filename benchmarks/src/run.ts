/** The bench command, which `npm run bench -- <filter> [--small] [--rounds n] [--save name] [--list]` starts. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { nativeStatus } from '@varve/native'
import { allBenchmarks } from './all.js'
import { reportOf, runBenchmarks } from './benchmark.js'

const { values: flags, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    small: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    save: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
})
const chosen = allBenchmarks.filter(
  ({ name }) => filters.length === 0 || filters.some((filter) => name.includes(filter)),
)
if (chosen.length === 0) {
  console.error(`no benchmark's name contains ${filters.join(' or ')}; --list shows them`)
  process.exit(2)
}
if (flags.list) for (const { name } of chosen) console.log(name)
else {
  const rounds = Number(flags.rounds ?? (flags.small ? 3 : 15))
  const results = await runBenchmarks(chosen, {
    size: flags.small ? 'small' : 'full',
    rounds,
    log: (line) => console.error(`… ${line}`),
  })
  const report = reportOf(results)
  console.log(report)
  if (flags.save !== undefined) {
    const folder = new URL('../results/', import.meta.url)
    mkdirSync(folder, { recursive: true })
    writeFileSync(new URL(`${flags.save}.md`, folder), `${heading(flags.save, rounds)}\n${report}`)
  }
}

/** What a reader must know to compare: when, where, how. */
function heading(name: string, rounds: number): string {
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${process.platform} ${process.arch}`
  const native = nativeStatus()
  return [
    `# ${name}`,
    '',
    `${new Date().toISOString().slice(0, 10)}, ${machine}, Node ${process.version}, native kernels ${native.loaded ? 'loaded' : 'absent'}.`,
    `\`npm run bench -- ${process.argv.slice(2).join(' ')}\`; ${rounds} rounds, in which the implementations of a table take`,
    'turns. Trust the CPU times and their ratios: the machine is shared.',
    '',
  ].join('\n')
}
