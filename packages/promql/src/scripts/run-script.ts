/**
 * Runs a script against a target.
 *
 * An instant query must also hold as the middle step of a range query, and pinned with `@` at other evaluation times: both
 * find what a plain instant query hides.
 */
import { PromqlError } from '../errors.js'
import type { Answer, AnswerSeries, ScriptTarget } from './answer.js'
import { pinnedQuery } from './at-variant.js'
import {
  compareAnnotations,
  compareAnswer,
  compareFailure,
  describeAnswer,
  orderProblem,
  type SampleTimes,
} from './compare.js'
import { expandLoad } from './load.js'
import { type Command, type EvalCommand, parseScript } from './script.js'

export interface EvalOutcome {
  readonly line: number
  readonly query: string
  /** Absent: passed. */
  readonly problem?: string
}

const MINUTE_MS = 60_000

/** Runs all commands in order; the target is cleared first. */
export async function runScript(text: string, target: ScriptTarget): Promise<EvalOutcome[]> {
  const outcomes: EvalOutcome[] = []
  await target.clear()
  for (const command of parseScript(text)) {
    const outcome = await runCommand(command, target)
    if (outcome) outcomes.push(outcome)
  }
  return outcomes
}

async function runCommand(command: Command, target: ScriptTarget): Promise<EvalOutcome | undefined> {
  switch (command.kind) {
    case 'clear':
      await target.clear()
      return undefined
    case 'load':
      await target.load(expandLoad(command))
      return undefined
    case 'eval': {
      const problem = await runEval(command, target)
      return { line: command.line, query: command.query, ...(problem !== undefined && { problem }) }
    }
  }
}

async function runEval(command: EvalCommand, target: ScriptTarget): Promise<string | undefined> {
  if (command.stepMs > 0) {
    return check(command, () => target.range(command.query, command), command)
  }
  const { query, startMs: timeMs, rangeVector } = command
  const evaluationMs = rangeVector?.endMs ?? timeMs
  const times = rangeVector ?? { startMs: evaluationMs, stepMs: 0 }
  const failsExpected = command.expectations.some((one) => one.kind === 'fail')
  for (const variant of variantsOf(query, evaluationMs)) {
    const own = rangeVector ?? { startMs: variant.timeMs, stepMs: 0 }
    const run = () => target.instant(variant.query, variant.timeMs)
    const problem = await check(command, run, variant.pinned ? own : times)
    if (problem) return variant.pinned ? `pinned, at ${variant.timeMs} ms: ${problem}` : problem
    if (failsExpected || rangeVector || command.string !== undefined || dependsOnRange(variant.query)) continue
    const inRange = await checkInRange(command, variant.query, variant.timeMs, target)
    if (inRange) return `inside a range query${variant.pinned ? `, pinned, at ${variant.timeMs} ms` : ''}: ${inRange}`
  }
  return undefined
}

function* variantsOf(query: string, timeMs: number): Iterable<{ query: string; timeMs: number; pinned: boolean }> {
  yield { query, timeMs, pinned: false }
  const pinned = pinnedQuery(query, timeMs)
  if (pinned === undefined) return
  const others = timeMs === 0 ? [-1000, 0, 1000] : [-10 * timeMs, 0, Math.trunc(timeMs / 5), timeMs, 10 * timeMs]
  for (const other of others) yield { query: pinned, timeMs: other, pinned: true }
}

function dependsOnRange(query: string): boolean {
  return /(start|end|range|step)\s*\(\s*\)/i.test(query)
}

async function check(
  command: EvalCommand,
  run: () => Promise<Answer>,
  times: SampleTimes,
): Promise<string | undefined> {
  const failsExpected = command.expectations.some((one) => one.kind === 'fail')
  let answer: Answer
  try {
    answer = await run()
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error
    return failsExpected ? compareFailure(command, error.message) : `error ${error.code}: ${error.message}`
  }
  if (failsExpected) return `expected an error, got ${describeAnswer(answer)}`
  return compareAnswer(command, answer, times) ?? compareAnnotations(command, answer)
}

/** The middle of three steps must be what the instant query answered. */
async function checkInRange(
  command: EvalCommand,
  query: string,
  timeMs: number,
  target: ScriptTarget,
): Promise<string | undefined> {
  let matrix: Answer
  try {
    matrix = await target.range(query, { startMs: timeMs - MINUTE_MS, endMs: timeMs + MINUTE_MS, stepMs: MINUTE_MS })
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error
    return `error ${error.code}: ${error.message}`
  }
  if (command.ordered) return undefined
  const series: AnswerSeries[] = matrix.series
    .map(({ labels, samples }) => ({ labels, samples: samples.filter((sample) => sample.timeMs === timeMs) }))
    .filter(({ samples }) => samples.length > 0)
  const type = command.scalar === undefined ? 'vector' : 'scalar'
  return orderProblem(matrix) ?? compareAnswer(command, { ...matrix, type, series }, { startMs: timeMs, stepMs: 0 })
}
