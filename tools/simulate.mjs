// Runs the simulation from its sources: `npm run simulate -- --seed 8123`, `npm run torture -- --minutes 10`.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../simulation/src/command.ts', import.meta.url))
const [command = 'simulate', ...rest] = process.argv.slice(2)
const given = command.startsWith('--') ? ['simulate', command, ...rest] : [command, ...rest]
const result = spawnSync(process.execPath, ['--conditions=source', '--import', 'tsx', program, ...given], {
  stdio: 'inherit',
})
process.exitCode = result.status ?? 1
