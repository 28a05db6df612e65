/**
 * What a benchmark is: a name `<area>/<operation>/<dataset>/<implementation>`, an answer that is checked before anything is
 * measured, and a run that is repeated. Those that differ in the implementation alone are compared within one run.
 */

/** Small sizes run with the tests, so that no benchmark rots; full ones are for measuring. */
export type BenchmarkSize = 'small' | 'full'

/** One thing to measure. */
export interface Benchmark {
  name: string
  /** Why it cannot run here, or undefined if it can. */
  unavailable?: string | undefined
  /** Makes the data, checks that the answer is right (throws if not), and returns what is measured. */
  prepare(size: BenchmarkSize): PreparedBenchmark | Promise<PreparedBenchmark>
}

export interface PreparedBenchmark {
  /** How many units one run works on; a time is reported for each. */
  count: number
  /** What a unit is: `sample`, `query`, `series`. */
  unit: string
  /** One measured run; absent where the facts are all there is to say. */
  run?(): void | Promise<void>
  /** What else there is to report, such as `bytes/sample`. */
  facts?: Record<string, number | string>
  close?(): void | Promise<void>
}

/** What came of one benchmark: times in ns a unit, over the rounds; CPU time is that of all threads of the process. */
export interface BenchmarkResult {
  name: string
  unit: string
  medianNs?: number
  cpuNs?: number
  leastNs?: number
  facts: Record<string, number | string>
  skipped?: string
}

/** The names without their implementation: what is compared with each other. */
export function groupOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/'))
}

/**
 * Runs benchmarks and returns their results in order. Those of one group take turns, so that a slow moment of the machine
 * meets all of them.
 */
export async function runBenchmarks(
  benchmarks: Benchmark[],
  { size, rounds, log }: { size: BenchmarkSize; rounds: number; log: (line: string) => void },
): Promise<BenchmarkResult[]> {
  const results: BenchmarkResult[] = []
  for (const group of [...new Set(benchmarks.map((benchmark) => groupOf(benchmark.name)))]) {
    log(group)
    const members = benchmarks.filter((benchmark) => groupOf(benchmark.name) === group)
    results.push(...(await runGroup(members, size, rounds)))
  }
  return results
}

async function runGroup(members: Benchmark[], size: BenchmarkSize, rounds: number): Promise<BenchmarkResult[]> {
  const results: BenchmarkResult[] = []
  const running: { prepared: PreparedBenchmark; result: BenchmarkResult; times: number[]; cpuTimes: number[] }[] = []
  try {
    for (const { name, unavailable, prepare } of members) {
      if (unavailable !== undefined) {
        results.push({ name, unit: '', facts: {}, skipped: unavailable })
        continue
      }
      const prepared = await prepare(size)
      const result: BenchmarkResult = { name, unit: prepared.unit, facts: prepared.facts ?? {} }
      results.push(result)
      running.push({ prepared, result, times: [], cpuTimes: [] })
    }
    for (let round = -1; round < rounds; round++) {
      for (const { prepared, times, cpuTimes } of running) {
        if (prepared.run === undefined) continue
        const cpuStart = process.cpuUsage()
        const start = process.hrtime.bigint()
        await prepared.run()
        const elapsed = Number(process.hrtime.bigint() - start)
        const { user, system } = process.cpuUsage(cpuStart)
        // The first round is for the compiler.
        if (round < 0) continue
        times.push(elapsed / prepared.count)
        cpuTimes.push((1000 * (user + system)) / prepared.count)
      }
    }
  } finally {
    for (const { prepared } of running) await prepared.close?.()
  }
  for (const { result, times, cpuTimes } of running) {
    if (times.length === 0) continue
    times.sort((a, b) => a - b)
    cpuTimes.sort((a, b) => a - b)
    result.cpuNs = cpuTimes[cpuTimes.length >> 1]
    result.medianNs = times[times.length >> 1]
    result.leastNs = times[0]
  }
  return results
}

/** The results as a Markdown table for each group, with ratios of CPU time to the group's least. */
export function reportOf(results: BenchmarkResult[]): string {
  const lines: string[] = []
  for (const group of [...new Set(results.map((result) => groupOf(result.name)))]) {
    const members = results.filter((result) => groupOf(result.name) === group)
    const least = Math.min(...members.map((result) => result.cpuNs ?? Number.POSITIVE_INFINITY))
    lines.push(`### ${group}`, '')
    if (Number.isFinite(least)) {
      lines.push(
        '| implementation | CPU, median | ratio | wall, median | wall, least | |',
        '| --- | ---: | ---: | ---: | ---: | --- |',
      )
      for (const { name, unit, cpuNs, medianNs, leastNs, facts, skipped } of members) {
        const implementation = name.slice(group.length + 1)
        const further = Object.entries(facts).map(([fact, value]) => `${fact} ${formatted(value)}`)
        if (medianNs === undefined)
          lines.push(`| ${implementation} | – | – | – | – | ${skipped ?? further.join(', ')} |`)
        else {
          const wall = `${formatted(medianNs)} | ${formatted(leastNs!)}`
          const cpu = `${formatted(cpuNs!)} ns/${unit} | ${formatted(cpuNs! / least)}`
          lines.push(`| ${implementation} | ${cpu} | ${wall} | ${further.join(', ')} |`)
        }
      }
    } else {
      for (const { name, facts, skipped } of members) {
        lines.push(`${name.slice(group.length + 1)}${skipped === undefined ? '' : `: skipped, ${skipped}`}`, '')
        if (skipped === undefined) lines.push('| | |', '| --- | ---: |')
        for (const [fact, value] of Object.entries(facts)) lines.push(`| ${fact} | ${formatted(value)} |`)
        lines.push('')
      }
    }
    lines.push('')
  }
  return lines.join('\n')
}

function formatted(value: number | string): string {
  if (typeof value === 'string') return value
  return Number.isInteger(value) ? String(value) : value.toPrecision(3)
}
