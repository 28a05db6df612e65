/** `varve query`: PromQL on the command line, as a table or a plot. */
import { parseTimeMs, parseUnitDurationMs } from '../../api/parameters.js'
import { CoordinatorError } from '../../errors.js'
import { ApiClient, SERVER_FLAGS } from '../api-client.js'
import type { Arguments, Command } from '../command.js'
import { plotText } from '../plot.js'
import { EXIT, type Program } from '../program.js'
import { tableText } from '../table.js'

const POINTS = 200

interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly value?: readonly [number, string]
  readonly values?: readonly (readonly [number, string])[]
}

interface QueryData {
  readonly resultType: 'vector' | 'matrix' | 'scalar' | 'string'
  readonly result: readonly Series[] | readonly [number, string]
}

export const queryCommand: Command = {
  name: 'query',
  summary: 'ask PromQL of a running server, answered as a table or a plot',
  usage: ["'EXPR' [--time T]", "'EXPR' --since 6h [--step 1m]", "'EXPR' --start T --end T [--step 1m]"],
  positionalCountMax: 1,
  flags: [
    { name: 'time', type: 'string', value: 'T', help: 'moment of an instant query (default now)' },
    { name: 'since', type: 'string', value: '6h', help: 'plot from so long ago until now' },
    { name: 'start', type: 'string', value: 'T', help: 'plot from here' },
    { name: 'end', type: 'string', value: 'T', help: 'until here (default now)' },
    { name: 'step', type: 'string', value: '1m', help: 'between two values (default: 200 of them)' },
    { name: 'table', type: 'boolean', help: 'a table for a range too' },
    { name: 'json', type: 'boolean', help: "the server's answer as it is, with its warnings and infos" },
    ...SERVER_FLAGS,
  ],
  more: `T is seconds since 1970 or a time such as 2026-01-31T12:00:00Z.

  varve query 'sum by (code) (rate(http_requests_total[5m]))' --since 6h`,
  run,
}

async function run(given: Arguments, program: Program): Promise<number> {
  const query = given.positional(0, 'the expression')
  const client = new ApiClient(given, program)
  const since = given.text('since')
  const isRange = since !== undefined || given.text('start') !== undefined
  const parameters: [string, string][] = [['query', query]]
  if (isRange) {
    const endMs = timeOf(given, 'end') ?? program.env.clock.wallMs()
    const startMs = timeOf(given, 'start') ?? endMs - durationOf('since', since ?? '')
    const step = given.text('step')
    const stepMs =
      step === undefined
        ? Math.max(1000, Math.ceil((endMs - startMs) / POINTS / 1000) * 1000)
        : durationOf('step', step)
    parameters.push(['start', String(startMs / 1000)], ['end', String(endMs / 1000)], ['step', String(stepMs / 1000)])
  } else {
    const timeMs = timeOf(given, 'time')
    if (timeMs !== null) parameters.push(['time', String(timeMs / 1000)])
  }
  const answer = await client.ask<QueryData>(isRange ? '/api/v1/query_range' : '/api/v1/query', parameters)
  if (given.isSet('json')) {
    program.stdout.write(`${JSON.stringify(answer)}\n`)
    return EXIT.done
  }
  for (const line of [...(answer.warnings ?? []), ...(answer.infos ?? [])]) program.stderr.write(`${line}\n`)
  program.stdout.write(textOf(answer.data, isRange && !given.isSet('table'), program.stdout.columns))
  return EXIT.done
}

function textOf({ resultType, result }: QueryData, plot: boolean, columns: number): string {
  if (resultType === 'scalar' || resultType === 'string') return `${(result as [number, string])[1]}\n`
  const series = result as readonly Series[]
  if (series.length === 0) return 'no series\n'
  if (resultType === 'vector') {
    return tableText(
      ['SERIES', 'VALUE'],
      series.map((one) => [nameOf(one.metric), one.value?.[1] ?? 'histogram']),
    )
  }
  if (!plot) {
    const rows = series.flatMap(({ metric, values = [] }) =>
      values.map(([seconds, value]) => [nameOf(metric), new Date(seconds * 1000).toISOString(), value]),
    )
    return tableText(['SERIES', 'TIME', 'VALUE'], rows)
  }
  const plotted = series.map(({ metric, values = [] }) => ({
    name: nameOf(metric),
    samples: values.map(([seconds, value]) => [seconds, Number(value)] as const),
  }))
  const last = tableText(
    ['SERIES', 'LAST'],
    series.map(({ metric, values = [] }) => [nameOf(metric), values.at(-1)?.[1] ?? '']),
  )
  return `${plotText(plotted, columns)}\n${last}`
}

function nameOf(metric: Readonly<Record<string, string>>): string {
  const { __name__: name = '', ...rest } = metric
  const labels = Object.entries(rest).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
  return labels.length === 0 && name !== '' ? name : `${name}{${labels.join(', ')}}`
}

function timeOf(given: Arguments, flag: string): number | null {
  const text = given.text(flag)
  if (text === undefined) return null
  const timeMs = parseTimeMs(text)
  if (timeMs === null)
    throw new CoordinatorError(
      'INVALID_ARGUMENT',
      `--${flag} ${JSON.stringify(text)}: expected seconds or a time such as 2026-01-31T12:00:00Z`,
    )
  return timeMs
}

function durationOf(flag: string, text: string): number {
  const ms = parseUnitDurationMs(text)
  if (ms === null || ms === 0)
    throw new CoordinatorError(
      'INVALID_ARGUMENT',
      `--${flag} ${JSON.stringify(text)}: expected a duration such as 15s, 5m or 6h`,
    )
  return ms
}
