/** Whether two answers are the same, but for the last digits of floats. */
import type { Histogram } from '@varve/tsdb-core/model'
import type { QueryResult } from '../engine/result.js'
import { PromqlError } from '../errors.js'
import { compactHistogram } from '../histograms/index.js'
import type { Answer } from '../scripts/answer.js'
import { answerOf } from '../scripts/engine-target.js'

/** Of the larger of two numbers: sums over series come in another order, and prefix sums round differently. */
const TOLERANCE = 1e-9

/** Samples by labels and time. */
export type Samples = Map<string, number | Histogram>

/** The answer, or the text of the error. */
export async function ask(run: () => Promise<QueryResult>): Promise<Answer | string> {
  try {
    return answerOf(await run())
  } catch (error) {
    if (error instanceof PromqlError && error.code === 'execution') return error.message
    throw error
  }
}

/** The first difference between two answers; two errors are the same. */
export function differenceOfAnswers(
  one: Answer | string,
  other: Answer | string,
  tolerance = TOLERANCE,
): string | undefined {
  if (typeof one !== 'string' && typeof other !== 'string') return differenceOf(flat(one), flat(other), tolerance)
  const [left, right] = [one, other].map((side) => (typeof side === 'string' ? side : `${side.series.length} series`))
  return typeof one === typeof other ? undefined : `${left} / ${right}`
}

export function flat(answer: Answer): Samples {
  const samples: Samples = new Map()
  addSamples(samples, answer)
  return samples
}

export function addSamples(samples: Samples, { series }: Answer): void {
  for (const { labels, samples: own } of series) {
    for (const { timeMs, value, histogram } of own) samples.set(`${labels} @${timeMs}`, histogram ?? value)
  }
}

export function differenceOf(one: Samples, other: Samples, tolerance = TOLERANCE): string | undefined {
  for (const key of new Set([...one.keys(), ...other.keys()])) {
    const [a, b] = [one.get(key), other.get(key)]
    const problem = a === undefined || b === undefined ? 'on one side only' : difference(a, b, tolerance)
    if (problem) return `${key}: ${problem}`
  }
  return undefined
}

function difference(a: number | Histogram, b: number | Histogram, tolerance: number): string | undefined {
  if (typeof a === 'number' && typeof b === 'number') return near(a, b, tolerance) ? undefined : `${a} and ${b}`
  if (typeof a === 'number' || typeof b === 'number') return 'a float and a histogram'
  const [x, y] = [compactHistogram(a), compactHistogram(b)]
  const numbers = (h: Histogram) => [
    h.count,
    h.sum,
    h.zeroCount,
    h.zeroThreshold,
    ...h.positiveBuckets,
    ...h.negativeBuckets,
  ]
  const [p, q] = [numbers(x), numbers(y)]
  const same = p.length === q.length && p.every((n, i) => near(n, q[i], tolerance)) && x.schema === y.schema
  return same ? undefined : `${p} and ${q}`
}

/** Near by the size of the numbers, or by that of what they were made of (the data goes up to some thousands). */
function near(a: number, b: number, tolerance: number): boolean {
  if (Object.is(a, b) || a === b) return true
  const distance = Math.abs(a - b)
  return distance <= tolerance * Math.max(Math.abs(a), Math.abs(b)) || distance <= tolerance * 10
}
