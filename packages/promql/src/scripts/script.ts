/**
 * Test scripts in Prometheus' language: `load` puts series into a store, `eval` asks a query and says what must come out.
 *
 * A command ends at an empty line; a line that starts with `#` is empty. All times count from 0.
 */
import { parseDuration } from '../parser/duration.js'
import { unquote } from '../parser/literal.js'
import { parseFloatText, parseSeriesLine, type ScriptSeries } from './series-notation.js'

export type Command = ClearCommand | LoadCommand | EvalCommand

interface CommandBase {
  /** Where it stands in the script, from 1. */
  readonly line: number
}

export interface ClearCommand extends CommandBase {
  readonly kind: 'clear'
}

export interface LoadCommand extends CommandBase {
  readonly kind: 'load'
  readonly stepMs: number
  /** Classic histograms are also loaded as native ones with custom buckets. */
  readonly withCustomBuckets: boolean
  readonly series: readonly LoadedSeries[]
}

export interface LoadedSeries extends ScriptSeries {
  /** For each value, its start time relative to its time; undefined: none. */
  readonly startOffsetsMs?: readonly (number | undefined)[]
}

export interface EvalCommand extends CommandBase {
  readonly kind: 'eval'
  readonly query: string
  /** Equal for an instant query. */
  readonly startMs: number
  readonly endMs: number
  /** 0 for an instant query. */
  readonly stepMs: number
  readonly expectations: readonly Expectation[]
  readonly ordered: boolean
  readonly scalar?: number
  readonly string?: string
  /** An instant query that answers a range vector, with samples at these times. */
  readonly rangeVector?: { readonly startMs: number; readonly endMs: number; readonly stepMs: number }
  readonly series: readonly ScriptSeries[]
}

export interface Expectation {
  readonly kind: 'fail' | 'warn' | 'info' | 'no_warn' | 'no_info'
  readonly message?: string
  readonly pattern?: RegExp
}

export class ScriptError extends Error {
  readonly line: number
  constructor(line: number, message: string, options?: ErrorOptions) {
    super(`line ${line}: ${message}`, options)
    this.name = 'ScriptError'
    this.line = line
  }
}

/** @throws {ScriptError} with the line that cannot be read. */
export function parseScript(text: string): Command[] {
  const lines = text.split('\n').map((line) => (line.trim().startsWith('#') ? '' : line.trim()))
  const commands: Command[] = []
  for (let at = 0; at < lines.length; ) {
    if (lines[at] === '') {
      at++
      continue
    }
    let end = at
    while (end < lines.length && lines[end] !== '') end++
    // `clear` is a line, not a paragraph.
    if (/^clear$/i.test(lines[at])) end = at + 1
    commands.push(parseCommand(lines.slice(at, end), at + 1))
    at = end
  }
  return commands
}

function parseCommand(lines: readonly string[], line: number): Command {
  if (/^clear$/i.test(lines[0])) return { kind: 'clear', line }
  const load = /^load(_with_nhcb)?\s+(\S+)$/i.exec(lines[0])
  if (load) {
    const series = parseLoadedSeries(lines.slice(1), line + 1)
    return { kind: 'load', line, stepMs: duration(load[2], line), withCustomBuckets: load[1] !== undefined, series }
  }
  const instant = /^eval(?:_(fail|warn|info|ordered))?\s+instant\s+at\s+(\S+)\s+(.+)$/i.exec(lines[0])
  if (instant) {
    const timeMs = duration(instant[2], line)
    return parseEval(lines, line, instant[1], { query: instant[3], startMs: timeMs, endMs: timeMs, stepMs: 0 })
  }
  const range = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$/i.exec(lines[0])
  if (!range) throw new ScriptError(line, `no command: ${JSON.stringify(lines[0])}`)
  const [startMs, endMs, stepMs] = range.slice(2, 5).map((text) => duration(text, line))
  return parseEval(lines, line, range[1], { query: range[5], startMs, endMs, stepMs })
}

function duration(text: string, line: number): number {
  const negative = text.startsWith('-')
  const ms = parseDuration(negative ? text.slice(1) : text)
  if (typeof ms === 'string') throw new ScriptError(line, ms)
  return negative ? -ms : ms
}

function parseLoadedSeries(lines: readonly string[], firstLine: number): LoadedSeries[] {
  const series: LoadedSeries[] = []
  let startOffsetsMs: (number | undefined)[] | undefined
  lines.forEach((text, i) => {
    const line = firstLine + i
    const starts = /^\S*@st\s+(.*)$/.exec(text)
    if (starts) {
      startOffsetsMs = starts[1].split(/\s+/).flatMap((item) => parseStartOffsets(item, line))
      return
    }
    const one = seriesOf(text, line)
    if (startOffsetsMs && startOffsetsMs.length !== one.values.length) {
      throw new ScriptError(line, `${one.values.length} values, but ${startOffsetsMs.length} start times above`)
    }
    series.push(startOffsetsMs ? { ...one, startOffsetsMs } : one)
    startOffsetsMs = undefined
  })
  return series
}

function parseStartOffsets(item: string, line: number): (number | undefined)[] {
  const blank = /^_(?:x(\d+))?$/.exec(item)
  if (blank) return Array.from({ length: Number(blank[1] ?? 1) }, () => undefined)
  const match = /^([+-]?)(\d+[a-wyz]*)(?:([+-])(\d+[a-wyz]*))?(?:x(\d+))?$/.exec(item)
  if (!match) throw new ScriptError(line, `no start time: ${item}`)
  const signed = (sign: string | undefined, text: string) => (sign === '-' ? -1 : 1) * duration(text, line)
  const first = signed(match[1], match[2])
  const step = match[4] === undefined ? 0 : signed(match[3], match[4])
  return Array.from({ length: Number(match[5] ?? 0) + 1 }, (_, i) => first + i * step)
}

function seriesOf(text: string, line: number): ScriptSeries {
  try {
    return parseSeriesLine(text)
  } catch (error) {
    throw new ScriptError(line, error instanceof Error ? error.message : String(error), { cause: error })
  }
}

const SCALAR = /^[+-]?(?:0x[0-9a-f]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|infinity|nan)$/i

function parseEval(
  lines: readonly string[],
  line: number,
  modifier: string | undefined,
  query: Pick<EvalCommand, 'query' | 'startMs' | 'endMs' | 'stepMs'>,
): EvalCommand {
  const expectations: Expectation[] = []
  const series: ScriptSeries[] = []
  let ordered = modifier === 'ordered'
  let scalar: number | undefined
  let string: string | undefined
  let rangeVector: EvalCommand['rangeVector']
  if (modifier === 'fail' || modifier === 'warn' || modifier === 'info') expectations.push({ kind: modifier })
  lines.slice(1).forEach((text, i) => {
    const at = line + 1 + i
    const vector = /^expect range vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)$/.exec(text)
    const said = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/.exec(text)
    if (vector) {
      const [startMs, endMs, stepMs] = vector.slice(1).map((part) => duration(part, at))
      rangeVector = { startMs, endMs, stepMs }
    } else if (text.startsWith('expect string ')) {
      string = unquote(text.slice('expect string '.length).trim())
    } else if (said?.[1] === 'ordered') {
      ordered = true
    } else if (said) {
      expectations.push(expectation(said[1] as Expectation['kind'], said[2], said[3]))
    } else if (text.startsWith('expect ')) {
      throw new ScriptError(at, `no expectation: ${JSON.stringify(text)}`)
    } else if (text.startsWith('expected_fail_message ')) {
      expectations[0] = expectation('fail', 'msg', text.slice('expected_fail_message '.length))
    } else if (text.startsWith('expected_fail_regexp ')) {
      expectations[0] = expectation('fail', 'regex', text.slice('expected_fail_regexp '.length))
    } else if (SCALAR.test(text)) {
      scalar = parseFloatText(text)
    } else {
      series.push(seriesOf(text, at))
    }
  })
  return {
    kind: 'eval',
    line,
    ...query,
    expectations,
    ordered,
    ...(scalar !== undefined && { scalar }),
    ...(string !== undefined && { string }),
    ...(rangeVector && { rangeVector }),
    series,
  }
}

function expectation(kind: Expectation['kind'], how: string | undefined, text: string | undefined): Expectation {
  if (how === 'msg') return { kind, message: (text ?? '').trim() }
  if (how === 'regex') return { kind, pattern: new RegExp((text ?? '').trim(), 's') }
  return { kind }
}
