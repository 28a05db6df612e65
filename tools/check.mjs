// One command for all static checks: types, lint and formatting, import direction and circles, platform calls, and where there
// is a cargo, that the Rust tests compile. `npm run check -- imports` runs one of them: types | lint | imports | rust.
import { spawnSync } from 'node:child_process'
import { checkImports } from './check-imports.mjs'

const run = (command, ...args) => spawnSync(command, args, { stdio: 'inherit' }).status === 0
const checks = {
  types: () => run('npx', 'tsc', '-b'),
  lint: () => run('npx', 'biome', 'ci', '--colors=off', '--diagnostic-level=warn', '.'),
  imports: () => {
    const problems = checkImports(process.cwd())
    for (const problem of problems) console.error(problem)
    return problems.length === 0
  },
  rust: () => {
    if (spawnSync('cargo', ['--version']).status !== 0) return true
    return run('cargo', 'test', '--no-run', '--quiet', '--manifest-path', 'native/Cargo.toml')
  },
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in checks))
if (unknown.length > 0) {
  console.error(`no check named ${unknown.join(', ')}; there are ${Object.keys(checks).join(', ')}`)
  process.exit(2)
}
let passed = true
for (const name of wanted.length > 0 ? wanted : Object.keys(checks)) {
  const ok = checks[name]()
  console.log(`check ${name}: ${ok ? 'ok' : 'FAILED'}`)
  passed &&= ok
}
process.exitCode = passed ? 0 : 1
