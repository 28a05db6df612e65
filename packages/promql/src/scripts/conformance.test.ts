/**
 * Prometheus' own scripts, which are not part of the project, and ours in `packages/promql/scripts`.
 *
 * `npm run promql-conformance` runs this file alone and writes the scores to docs/promql-conformance.md.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MemoryQueryable, STALE } from '@varve/tsdb-core/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { EngineTarget } from './engine-target.js'
import { type EvalOutcome, runScript } from './run-script.js'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const theirs = process.env.VARVE_PROMQL_CASES
const scores: { name: string; outcomes: EvalOutcome[] }[] = []

describe('own scripts', () => {
  const folder = join(root, 'packages/promql/scripts')
  test.each(scriptsIn(folder))('%s', async (name) => {
    expect(await problemsIn(join(folder, name))).toEqual([])
  })
})

describe.skipIf(!theirs)(`Prometheus' scripts${theirs ? '' : ' (skipped: VARVE_PROMQL_CASES is not set)'}`, () => {
  test.each(theirs ? scriptsIn(theirs) : [])(
    '%s',
    async (name) => {
      const problems = await problemsIn(join(theirs!, name), name)
      expect(problems).toEqual([])
    },
    120_000,
  )
})

afterAll(() => {
  if (process.env.VARVE_WRITE_CONFORMANCE && scores.length > 0) {
    writeFileSync(join(root, 'docs/promql-conformance.md'), scorePage())
  }
})

function scriptsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.test'))
    .sort()
}

async function problemsIn(path: string, scoreName?: string): Promise<string[]> {
  const outcomes = await runScript(readFileSync(path, 'utf8'), new EngineTarget(new MemoryQueryable(), STALE))
  if (scoreName) scores.push({ name: scoreName, outcomes })
  return outcomes.flatMap(({ line, query, problem }) =>
    problem === undefined ? [] : [`${line}: ${query}\n  ${problem}`],
  )
}

function scorePage(): string {
  const passed = (outcomes: EvalOutcome[]) => outcomes.filter(({ problem }) => problem === undefined).length
  const rows = scores.map(({ name, outcomes }) => `| ${name} | ${passed(outcomes)} | ${outcomes.length} |`)
  const all = scores.flatMap(({ outcomes }) => outcomes)
  return `# How much of PromQL is here

Written by \`npm run promql-conformance\`; do not edit.

Prometheus 3.14 tests its engine with scripts (Apache-2.0). They are not part of this project: the runner takes their folder from
\`VARVE_PROMQL_CASES\` and runs them in process, over a store in memory. An evaluation passes if values, labels, order, warnings,
infos and error texts are those of the script; an instant query must also hold as the middle step of a range query, and pinned with
\`@\` at five other times.

| script | passed | of |
| --- | --: | --: |
${rows.join('\n')}
| **all** | **${passed(all)}** | **${all.length}** |
`
}
