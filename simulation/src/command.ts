/**
 * The programs behind `npm run simulate` and `npm run torture`.
 *
 *     simulate [--seed N] [--scenario NAME] [--scale N]      every scenario once; the seed is drawn when it is not given
 *     torture [--minutes N] [--kills N] [--directory PATH]   seed after seed for so long, then real kills
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { killWhileWriting } from './kill/kill-while-writing.js'
import { addFigures } from './scenarios/crash-everywhere.js'
import { SCENARIOS, type Scenario } from './scenarios/index.js'

const [command, ...rest] = process.argv.slice(2)
const { values } = parseArgs({
  args: rest,
  options: {
    seed: { type: 'string' },
    scenario: { type: 'string' },
    scale: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '10' },
    kills: { type: 'string', default: '200' },
    directory: { type: 'string' },
  },
})
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)

function chosen(): readonly Scenario[] {
  if (values.scenario === undefined) return SCENARIOS
  const found = SCENARIOS.filter(({ name }) => name === values.scenario)
  if (found.length > 0) return found
  const names = SCENARIOS.map(({ name }) => name).join(', ')
  throw new Error(`no scenario ${JSON.stringify(values.scenario)}; there are ${names}`)
}

const print = (name: string, figures: object, seconds: number) =>
  console.log(`${name.padEnd(18)} ${JSON.stringify(figures)} in ${seconds.toFixed(1)} s`)

async function simulate(): Promise<void> {
  console.log(`seed ${seed}`)
  for (const scenario of chosen()) {
    const startMs = performance.now()
    const figures = await scenario.run({ seed, scale: Number(values.scale) })
    print(scenario.name, figures, (performance.now() - startMs) / 1000)
  }
}

async function torture(): Promise<void> {
  const endMs = performance.now() + Number(values.minutes) * 60_000
  const sums = new Map<string, { figures: Record<string, number>; seconds: number }>()
  let seeds = 0
  for (; performance.now() < endMs; seeds++) {
    for (const scenario of chosen()) {
      const startMs = performance.now()
      const figures = await scenario.run({ seed: seed + seeds * 1000, scale: Number(values.scale) })
      const sum = sums.get(scenario.name) ?? { figures: {}, seconds: 0 }
      sums.set(scenario.name, sum)
      addFigures(sum.figures, figures)
      sum.seconds += (performance.now() - startMs) / 1000
      if (performance.now() >= endMs) break
    }
  }
  console.log(`first seed ${seed}, then every 1000th: ${seeds} in all; acknowledged samples lost: 0, wrong answers: 0`)
  for (const [name, { figures, seconds }] of sums) print(name, figures, seconds)
  const directory = await mkdtemp(join(values.directory ?? tmpdir(), 'varve-torture-'))
  try {
    const startMs = performance.now()
    const kills = Number(values.kills)
    const figures = await killWhileWriting({ directory, kills, seed, loadMsMax: 400 })
    print('kill -9', figures, (performance.now() - startMs) / 1000)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

try {
  if (command === 'simulate') await simulate()
  else if (command === 'torture') await torture()
  else throw new Error(`unknown command ${JSON.stringify(command)}: simulate or torture is wanted`)
} catch (error) {
  console.error(error instanceof Error && error.name === 'ScenarioFailure' ? error.message : error)
  process.exitCode = 1
}
