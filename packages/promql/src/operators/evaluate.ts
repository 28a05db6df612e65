/** Plan node → rows: the one file that knows all operators. */
import type { QueryContext } from '../engine/query-context.js'
import type { TraceNode } from '../engine/stats.js'
import { PromqlError } from '../errors.js'
import { absence } from '../functions/absent.js'
import { SCALAR_FUNCTIONS, VECTOR_FUNCTIONS } from '../functions/functions.js'
import { info } from '../functions/info.js'
import { describePlan } from '../plan/describe.js'
import type { CallPlan, PlanNode, SelectPlan } from '../plan/plan.js'
import { aggregate, wantsPresenceOnly } from './aggregation.js'
import { aggregateK } from './aggregation-k.js'
import { binaryBatches, binaryScalar } from './binary.js'
import { countValues } from './count-values.js'
import type { Evaluator } from './evaluator.js'
import { firstStepOf, type Grid } from './grid.js'
import { negate } from './negation.js'
import { rangeCallBatches } from './range-call.js'
import { innerGrid, windowOrder, windowShape } from './range-shape.js'
import { type SampleAspect, selectBatches, selectOrder, selectShape } from './select.js'
import { SeriesSource } from './series-source.js'
import { smoothedBatches } from './smoothed-select.js'
import { ABSENT, FLOAT, VectorBatch } from './vector-batch.js'

export class PlanEvaluator implements Evaluator {
  readonly context: QueryContext
  readonly source: SeriesSource

  constructor(context: QueryContext) {
    this.context = context
    this.source = new SeriesSource(context)
  }

  /** Tells the store's reader what is to come, so that selectors which want the same are read once. */
  announce(node: PlanNode, grid: Grid): void {
    if (grid.count === 0) return
    const { lookbackMs, rangeQuery } = this.context.options
    const stepMs = rangeQuery ? grid.stepMs : 0
    switch (node.kind) {
      case 'select':
        this.source.want(selectOrder(node, selectShape(node, grid, lookbackMs), stepMs))
        break
      case 'rangeCall': {
        for (const scalar of node.scalars) this.announce(scalar, grid)
        const { source } = node
        const shape = windowShape(source, grid, lookbackMs)
        if (source.kind === 'subquery') this.announce(source.child, innerGrid(source, shape))
        else this.source.want(windowOrder(source, shape, node.function.name, stepMs))
        break
      }
      case 'invariant':
        this.announce(node.child, firstStepOf(grid))
        break
      case 'sign':
        this.announce(node.child, grid)
        break
      case 'binary':
        this.announce(node.left, grid)
        this.announce(node.right, grid)
        break
      case 'aggregation':
        if (node.parameter !== undefined) this.announce(node.parameter, grid)
        if (node.child.kind === 'select' && wantsPresenceOnly(node)) {
          this.source.want(selectOrder(node.child, selectShape(node.child, grid, lookbackMs), stepMs, true))
        } else this.announce(node.child, grid)
        break
      case 'call':
        // The second argument of info() is not evaluated by itself.
        for (const argument of node.function.name === 'info' ? node.arguments.slice(0, 1) : node.arguments) {
          this.announce(argument, grid)
        }
        break
    }
  }

  async *batches(node: PlanNode, grid: Grid, parent: TraceNode): AsyncGenerator<VectorBatch> {
    if (grid.count === 0) return
    const trace = this.context.trace(parent, describePlan(node))
    const startMs = this.context.nowMs()
    this.context.check()
    for await (const batch of this.#rows(node, grid, trace)) {
      if (node.kind !== 'select' && node.kind !== 'rangeCall') trace.series += batch.seriesCount
      yield batch
    }
    trace.milliseconds = this.context.nowMs() - startMs
  }

  #rows(node: PlanNode, grid: Grid, trace: TraceNode): AsyncIterable<VectorBatch> {
    switch (node.kind) {
      case 'select':
        return node.smoothed
          ? smoothedBatches(this, this.source, node, grid, trace)
          : selectBatches(this, this.source, node, grid, trace)
      case 'rangeCall': {
        const rows = rangeCallBatches(this, this.source, node, grid, trace)
        return node.function.name === 'absent_over_time' ? absence(this, node.source, rows, grid) : rows
      }
      case 'call':
        return this.#call(node, grid, trace)
      case 'aggregation':
        switch (node.operator) {
          case 'topk':
          case 'bottomk':
          case 'limitk':
          case 'limit_ratio':
            return one(aggregateK(this, node, grid, trace))
          case 'count_values':
            return one(countValues(this, node, grid, trace))
          default:
            return one(aggregate(this, this.source, node, grid, trace))
        }
      case 'binary':
        return binaryBatches(this, node, grid, trace)
      case 'sign':
        return node.negative ? negate(this.batches(node.child, grid, trace)) : this.batches(node.child, grid, trace)
      case 'invariant':
        return repeat(this.batches(node.child, firstStepOf(grid), trace), grid)
      default:
        throw new PromqlError('execution', `a ${node.kind} is no instant vector`)
    }
  }

  #call(node: CallPlan, grid: Grid, trace: TraceNode): AsyncIterable<VectorBatch> {
    const { name } = node.function
    if (name === 'absent') {
      return absence(this, node.arguments[0], this.batches(node.arguments[0], grid, trace), grid)
    }
    if (name === 'info') return info(this, this.source, node, grid, trace)
    const aspect = SAMPLE_TIMES.get(name)
    if (aspect !== undefined) {
      const selector = plainSelector(node.arguments[0])
      if (selector !== undefined) return selectBatches(this, this.source, selector, grid, trace, aspect)
      // What is no selector has lost its start timestamps.
      if (aspect === 'startTimestamp') return none(this.batches(node.arguments[0], grid, trace))
    }
    const found = VECTOR_FUNCTIONS.get(name)
    if (found === undefined) throw new PromqlError('execution', `unknown function with name "${name}"`)
    return found(this, node, grid, trace)
  }

  async vector(node: PlanNode, grid: Grid, trace: TraceNode): Promise<VectorBatch> {
    const all = new VectorBatch(grid.count, 0)
    const { budget } = this.context
    for await (const batch of this.batches(node, grid, trace)) {
      const before = all.seriesCount
      all.addRowsOf(batch)
      budget.holdSamples((all.seriesCount - before) * grid.count)
      if (this.context.shouldYield()) await this.context.yield()
    }
    return all
  }

  async scalar(node: PlanNode, grid: Grid, trace: TraceNode): Promise<Float64Array> {
    switch (node.kind) {
      case 'number':
        return new Float64Array(grid.count).fill(node.value)
      case 'invariant': {
        if (grid.count === 0) return new Float64Array(0)
        const [value] = await this.scalar(node.child, firstStepOf(grid), trace)
        return new Float64Array(grid.count).fill(value)
      }
      case 'sign': {
        const values = await this.scalar(node.child, grid, trace)
        return node.negative ? values.map((value) => -value) : values
      }
      case 'binary':
        return binaryScalar(this, node, grid, trace)
      case 'call': {
        const found = SCALAR_FUNCTIONS.get(node.function.name)
        if (found !== undefined) return found(this, node, grid, trace)
      }
    }
    throw new PromqlError('execution', `a ${node.kind} is no scalar`)
  }
}

/** Functions that read a time of a selector's sample instead of its value. */
const SAMPLE_TIMES: ReadonlyMap<string, SampleAspect> = new Map<string, SampleAspect>([
  ['timestamp', 'timestamp'],
  ['start_timestamp', 'startTimestamp'],
])

function plainSelector(node: PlanNode): SelectPlan | undefined {
  const inner = node.kind === 'invariant' ? node.child : node
  return inner.kind === 'select' ? inner : undefined
}

async function* one(batch: Promise<VectorBatch>): AsyncGenerator<VectorBatch> {
  yield await batch
}

/** Runs the rows for their warnings and errors, and keeps none. */
async function* none(rows: AsyncIterable<VectorBatch>): AsyncGenerator<VectorBatch> {
  for await (const batch of rows) {
    batch.clear()
    yield batch
  }
}

/** Rows of one step, repeated for all steps. */
async function* repeat(rows: AsyncIterable<VectorBatch>, grid: Grid): AsyncGenerator<VectorBatch> {
  for await (const batch of rows) {
    if (grid.count === 1) {
      yield batch
      continue
    }
    const out = new VectorBatch(grid.count, batch.seriesCount)
    for (let row = 0; row < batch.seriesCount; row++) {
      if (batch.presence[row] === ABSENT) continue
      const to = out.addRow(batch.labelSets[row], batch.dropName[row])
      const at = to * grid.count
      if (batch.presence[row] === FLOAT) {
        out.values.fill(batch.values[row], at, at + grid.count)
        out.presence.fill(FLOAT, at, at + grid.count)
      } else for (let s = 0; s < grid.count; s++) out.setHistogram(to, s, batch.histograms![row]!)
    }
    yield out
  }
}
