/** Functions that turn each sample of a vector into another, in place. */
import { timeAt } from '../operators/grid.js'
import { ABSENT, FLOAT, VectorBatch } from '../operators/vector-batch.js'
import type { ScalarFunction, VectorFunction } from './call.js'
import type { FloatFunction } from './math.js'

/** Applies a function of one float. Histograms are dropped. */
export function mapFloats(apply: FloatFunction): VectorFunction {
  return async function* (evaluator, node, grid, trace) {
    for await (const batch of evaluator.batches(node.arguments[0], grid, trace)) {
      batch.removeHistograms()
      const { values, presence } = batch
      for (let at = 0, end = batch.seriesCount * batch.steps; at < end; at++) {
        if (presence[at] === FLOAT) values[at] = apply(values[at])
      }
      batch.dropName.fill(1, 0, batch.seriesCount)
      yield batch
    }
  }
}

/** A calendar function: without an argument, of the evaluation time. */
export function mapDates(apply: FloatFunction): VectorFunction {
  const map = mapFloats(apply)
  return async function* (evaluator, node, grid, trace) {
    if (node.arguments.length > 0) {
      yield* map(evaluator, node, grid, trace)
      return
    }
    const batch = new VectorBatch(grid.count, 1)
    const row = batch.addRow(evaluator.context.labels.intern([], 0, 0), 0)
    for (let s = 0; s < grid.count; s++) batch.setFloat(row, s, apply(Math.trunc(timeAt(grid, s) / 1000)))
    yield batch
  }
}

/** clamp, clamp_min and clamp_max. A lower bound above the upper one leaves nothing at that step. */
export const clamp: VectorFunction = async function* (evaluator, node, grid, trace) {
  const { name } = node.function
  const bound = async (index: number) => evaluator.scalar(node.arguments[index], grid, trace)
  const low = name === 'clamp_max' ? undefined : await bound(1)
  const high = name === 'clamp_min' ? undefined : await bound(name === 'clamp' ? 2 : 1)
  for await (const batch of evaluator.batches(node.arguments[0], grid, trace)) {
    batch.removeHistograms()
    const { values, presence, steps } = batch
    for (let at = 0, end = batch.seriesCount * steps; at < end; at++) {
      if (presence[at] !== FLOAT) continue
      const least = low === undefined ? Number.NEGATIVE_INFINITY : low[at % steps]
      const greatest = high === undefined ? Number.POSITIVE_INFINITY : high[at % steps]
      if (greatest < least) presence[at] = ABSENT
      else values[at] = greater(least, lesser(greatest, values[at]))
    }
    batch.dropName.fill(1, 0, batch.seriesCount)
    yield batch
  }
}

/** Rounds to a multiple, halves upwards. */
export const round: VectorFunction = async function* (evaluator, node, grid, trace) {
  const nearest = node.arguments.length > 1 ? await evaluator.scalar(node.arguments[1], grid, trace) : undefined
  for await (const batch of evaluator.batches(node.arguments[0], grid, trace)) {
    batch.removeHistograms()
    const { values, presence, steps } = batch
    for (let at = 0, end = batch.seriesCount * steps; at < end; at++) {
      if (presence[at] !== FLOAT) continue
      // Multiplying by the inverse loses less than dividing, and is what Prometheus does.
      const inverse = nearest === undefined ? 1 : 1 / nearest[at % steps]
      values[at] = Math.floor(values[at] * inverse + 0.5) / inverse
    }
    batch.dropName.fill(1, 0, batch.seriesCount)
    yield batch
  }
}

/** The evaluation time as the value of each sample: `timestamp` of anything but a plain selector. */
export const evaluationTimes: VectorFunction = async function* (evaluator, node, grid, trace) {
  for await (const batch of evaluator.batches(node.arguments[0], grid, trace)) {
    batch.histograms = undefined
    const { values, presence, steps } = batch
    for (let at = 0, end = batch.seriesCount * steps; at < end; at++) {
      if (presence[at] === ABSENT) continue
      presence[at] = FLOAT
      values[at] = timeAt(grid, at % steps) / 1000
    }
    batch.dropName.fill(1, 0, batch.seriesCount)
    yield batch
  }
}

/** A scalar as a vector of one series without labels. */
export const vector: VectorFunction = async function* (evaluator, node, grid, trace) {
  const values = await evaluator.scalar(node.arguments[0], grid, trace)
  const batch = new VectorBatch(grid.count, 1)
  batch.addRow(evaluator.context.labels.intern([], 0, 0), 0)
  batch.values.set(values)
  batch.presence.fill(FLOAT)
  yield batch
}

/** The value of the one float series; NaN where there is none, or more. */
export const scalar: ScalarFunction = async (evaluator, node, grid, trace) => {
  const values = new Float64Array(grid.count).fill(Number.NaN)
  const counts = new Uint8Array(grid.count)
  for await (const batch of evaluator.batches(node.arguments[0], grid, trace)) {
    for (let row = 0; row < batch.seriesCount; row++) {
      for (let s = 0, at = row * batch.steps; s < batch.steps; s++, at++) {
        if (batch.presence[at] !== FLOAT) continue
        values[s] = counts[s] === 0 ? batch.values[at] : Number.NaN
        counts[s] = 1
      }
    }
  }
  return values
}

export const time: ScalarFunction = async (_evaluator, _node, grid) =>
  Float64Array.from({ length: grid.count }, (_, s) => timeAt(grid, s) / 1000)

export const pi: ScalarFunction = async (_evaluator, _node, grid) => new Float64Array(grid.count).fill(Math.PI)

/** As Go's math.Min: an infinity that nothing is below wins over NaN, which wins over a number. */
export function lesser(a: number, b: number): number {
  return a === Number.NEGATIVE_INFINITY || b === Number.NEGATIVE_INFINITY ? Number.NEGATIVE_INFINITY : Math.min(a, b)
}

/** As Go's math.Max. */
export function greater(a: number, b: number): number {
  return a === Number.POSITIVE_INFINITY || b === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : Math.max(a, b)
}

/** min_of and max_of: of two scalars. */
export function choose(pick: (a: number, b: number) => number): ScalarFunction {
  return async (evaluator, node, grid, trace) => {
    const left = await evaluator.scalar(node.arguments[0], grid, trace)
    const right = await evaluator.scalar(node.arguments[1], grid, trace)
    return left.map((value, s) => pick(value, right[s]))
  }
}
