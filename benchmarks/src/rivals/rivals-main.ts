/**
 * Varve beside DuckDB, SQLite, LMDB and LevelDB in one process: append, disk, scans. Every answer is checked first.
 *
 *     npm install --prefix benchmarks/rivals && npm run bench -- rivals/rivals [--hosts 20] [--small]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { diskBytes } from '../servers/servers.js'
import { recordFleet } from '../storage/recorded-fleet.js'
import { DuckRival, LevelRival, LmdbRival, SqliteRival } from './others.js'
import { addUp, type Rival } from './rival.js'
import { VarveRival } from './varve.js'

const { values: flags } = parseArgs({
  options: { small: { type: 'boolean', default: false }, hosts: { type: 'string' }, rivals: { type: 'string' } },
})
const hosts = Number(flags.hosts ?? (flags.small ? 2 : 20))
const recorded = recordFleet({ hosts, steps: flags.small ? 60 : 480 })
const { fleet, sampleCount } = recorded
// Whole hosts of some 500 series, so that each store can name them in its own way.
const scanned = fleet.hostStart[Math.min(2, hosts)]
const oneSeries = fleet.series.findIndex(({ fromStep, toStep }) => fromStep === 0 && toStep === fleet.options.steps)
const wantedOne = expected(oneSeries, oneSeries + 1)
const wantedMany = expected(0, scanned)
const makers: Record<string, (directory: string) => Rival> = {
  varve: (directory) => new VarveRival(directory),
  duckdb: (directory) => new DuckRival(directory),
  leveldb: (directory) => new LevelRival(directory),
  lmdb: (directory) => new LmdbRival(directory),
  sqlite: (directory) => new SqliteRival(directory),
}
console.log(`${hosts} hosts, ${fleet.series.length} series, ${sampleCount} samples; scans of ${scanned} series`)
for (const name of (flags.rivals ?? Object.keys(makers).join(',')).split(',')) await measure(name)

async function measure(name: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), `varve-rival-${name}-`))
  try {
    const rival = makers[name](directory)
    const before = process.cpuUsage()
    await rival.load(recorded)
    const cpu = process.cpuUsage(before)
    const perCpuSecond = sampleCount / (cpu.user + cpu.system)
    const bytes = (await diskBytes(directory)) / sampleCount
    await rival.reopen()
    check(name, await rival.sumOfSeries(oneSeries), wantedOne)
    check(name, await rival.sumOfFirst(scanned), wantedMany)
    const oneUs = (await median(() => rival.sumOfSeries(oneSeries), 200)) * 1000
    const manyNs = ((await median(() => rival.sumOfFirst(scanned), 15)) * 1e6) / wantedMany.count
    await rival.close()
    console.log(
      `rivals/${name}: append and flush ${perCpuSecond.toFixed(2)} M samples per CPU s, ${bytes.toFixed(2)} B/sample, ` +
        `one series of 480 ${oneUs.toFixed(0)} us, ${scanned} series ${manyNs.toFixed(1)} ns/sample`,
    )
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function expected(from: number, to: number): { count: number; sum: number } {
  const into = { count: 0, sum: 0 }
  for (let series = from; series < to; series++) addUp(fleet.values(series), into)
  return into
}

function check(name: string, got: { count: number; sum: number }, wanted: { count: number; sum: number }): void {
  if (got.count !== wanted.count || Math.abs(got.sum - wanted.sum) > 1e-9 * Math.abs(wanted.sum)) {
    throw new Error(`${name}: ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`)
  }
}

/** Of warm runs: the first half of them is for compilers and caches. */
async function median(run: () => Promise<unknown>, rounds: number): Promise<number> {
  const times: number[] = []
  for (let round = -rounds; round < rounds; round++) {
    const startedMs = performance.now()
    await run()
    if (round >= 0) times.push(performance.now() - startedMs)
  }
  return times.sort((a, b) => a - b)[times.length >> 1]
}
