/** `varve rules dry-run|backfill|import-m3`: rules tried on, applied to and brought from the past. */
import { type DryRun, importM3Rules, type RuleId, type RuleStore } from '@varve/aggregator'
import { stringify } from 'yaml'
import { parseTimeMs, parseUnitDurationMs } from '../../api/parameters.js'
import { CoordinatorError } from '../../errors.js'
import { ApiClient } from '../api-client.js'
import type { Arguments } from '../command.js'
import { EXIT, type Program } from '../program.js'
import { tableText } from '../table.js'

const SINCE_MS = 3_600_000

/** As the server writes it. */
type DryRunAnswer = Omit<DryRun, 'policies'> & {
  readonly policies: readonly (Omit<DryRun['policies'][number], 'examples' | 'retainedSampleCount'> & {
    readonly examples: readonly string[]
    readonly retainedSampleCount: number | null
  })[]
}

export async function dryRun(given: Arguments, id: RuleId, document: string, program: Program): Promise<number> {
  const since = given.text('since')
  const sinceMs = since === undefined ? SINCE_MS : parseUnitDurationMs(since)
  if (sinceMs === null)
    throw new CoordinatorError('INVALID_ARGUMENT', `--since ${JSON.stringify(since)}: expected a duration such as 6h`)
  const endMs = program.env.clock.wallMs()
  const { data } = await new ApiClient(given, program).ask<DryRunAnswer>('/api/v1/rollup-rules/dry-run', [
    ['rule', `${id.kind}/${id.name}`],
    ['document', document],
    ['start', String((endMs - sinceMs) / 1000)],
    ['end', String(endMs / 1000)],
  ])
  program.stdout.write(`${data.matchedSeriesCount} series match, ${data.readSampleCount} samples were read\n`)
  const rows = data.policies.map((policy) => [
    policy.policy,
    String(policy.windowCount),
    String(policy.outputSeriesCount),
    String(policy.outputSampleCount),
    policy.retainedSampleCount === null ? 'no end' : String(Math.round(policy.retainedSampleCount)),
  ])
  program.stdout.write(tableText(['POLICY', 'WINDOWS', 'SERIES', 'SAMPLES', 'KEPT IN THE END'], rows))
  for (const { policy, examples } of data.policies)
    for (const example of examples) program.stdout.write(`${policy}: ${example}\n`)
  for (const problem of data.problems) program.stderr.write(`${problem}\n`)
  return EXIT.done
}

export async function backfill(given: Arguments, id: RuleId, program: Program): Promise<number> {
  const from = given.text('from')
  const fromMs = from === undefined ? null : parseTimeMs(from)
  if (fromMs === null)
    throw new CoordinatorError('INVALID_ARGUMENT', '--from T: expected seconds or a time such as 2026-01-31T12:00:00Z')
  const parameters = [
    ['rule', `${id.kind}/${id.name}`],
    ['from', String(fromMs / 1000)],
  ] as const
  await new ApiClient(given, program).ask('/api/v1/rollup-rules/backfill', parameters)
  program.stdout.write(
    `${id.kind}/${id.name} is applied from ${new Date(fromMs).toISOString()} on; GET /api/v1/rollup-rules tells how far it is\n`,
  )
  return EXIT.done
}

/** Into the store, or as one YAML file on standard output. */
export async function importM3(given: Arguments, store: RuleStore | null, program: Program): Promise<number> {
  const path = given.positional(1, 'the file with M3 rules')
  const { rules, warnings } = importM3Rules(await program.readText(program.resolvePath(path)))
  for (const warning of warnings) program.stderr.write(`${warning}\n`)
  if (store === null) {
    const kinds = [...new Set(rules.map(({ kind }) => kind))]
    const documents = kinds.map((kind) => {
      const named = rules.filter((rule) => rule.kind === kind).map(({ name, document }) => [name, document] as const)
      return [kind, Object.fromEntries(named)] as const
    })
    program.stdout.write(stringify(Object.fromEntries(documents)))
    return EXIT.done
  }
  for (const { kind, name, document } of rules)
    await store.put({ kind, name }, `${JSON.stringify(document, null, 2)}\n`)
  program.stdout.write(`${rules.length} rules are in ${store.description}\n`)
  return EXIT.done
}
