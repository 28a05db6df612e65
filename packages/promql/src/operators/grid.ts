import { PromqlError } from '../errors.js'

/** Of one subquery; each step costs some 20 bytes a series. */
const SUBQUERY_STEPS_MAX = 5_000_000

/** The evaluation times of an expression: `startMs`, `startMs + stepMs`, …, `count` of them. */
export interface Grid {
  readonly startMs: number
  /** Above 0 even for a single step. */
  readonly stepMs: number
  readonly count: number
}

export function timeAt(grid: Grid, step: number): number {
  return grid.startMs + step * grid.stepMs
}

export function lastTime(grid: Grid): number {
  return timeAt(grid, grid.count - 1)
}

/** The grid's first step alone, for what is the same at every step. */
export function firstStepOf(grid: Grid): Grid {
  return grid.count === 1 ? grid : { startMs: grid.startMs, stepMs: grid.stepMs, count: 1 }
}

/**
 * The grid of a subquery whose windows are `(end - range, end]` for ends from `firstEndMs` to `lastEndMs`: multiples of
 * the step in absolute time, so that a subquery gives the same samples wherever the query starts.
 *
 * @throws {PromqlError} `execution` for more steps than columns should have: `[1y:1ms]` would fill all memory by itself.
 */
export function subqueryGrid(firstEndMs: number, lastEndMs: number, rangeMs: number, stepMs: number): Grid {
  const after = firstEndMs - rangeMs
  let startMs = stepMs * Math.trunc(after / stepMs)
  if (startMs <= after) startMs += stepMs
  const count = lastEndMs < startMs ? 0 : Math.floor((lastEndMs - startMs) / stepMs) + 1
  if (count > SUBQUERY_STEPS_MAX) {
    throw new PromqlError(
      'execution',
      `a subquery has ${count} steps of ${stepMs} ms, at most ${SUBQUERY_STEPS_MAX} are evaluated: take a longer step or a shorter range`,
    )
  }
  return { startMs, stepMs, count }
}
