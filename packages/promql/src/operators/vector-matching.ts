/**
 * Arithmetic and comparison between two vectors: one-to-one, many-to-one and one-to-many, with fill values.
 *
 * Series are put into match groups once for the query. A group with one series on each side, which is nearly every one, is
 * then two columns and a loop; others are matched step by step, since which series are there may change.
 * Source: Prometheus, promql/engine.go, VectorBinop and resultMetric.
 */
import { type Histogram, METRIC_NAME } from '@varve/tsdb-core/model'
import type { VectorMatching } from '../ast.js'
import { formatLabels } from '../engine/go-format.js'
import type { QueryContext } from '../engine/query-context.js'
import type { TraceNode } from '../engine/stats.js'
import { PromqlError } from '../errors.js'
import type { BinaryPlan } from '../plan/plan.js'
import { CHANGES_METRIC, COMPARISONS, floatOperation } from './arithmetic.js'
import type { Evaluator } from './evaluator.js'
import type { Grid } from './grid.js'
import { MatchingKeys } from './matching-keys.js'
import { RowMerger } from './row-merger.js'
import { combineSamples } from './sample-operations.js'
import { ABSENT, FLOAT, type VectorBatch } from './vector-batch.js'

export async function combineVectors(
  evaluator: Evaluator,
  node: BinaryPlan,
  grid: Grid,
  trace: TraceNode,
): Promise<VectorBatch> {
  const left = await evaluator.vector(node.left, grid, trace)
  const right = await evaluator.vector(node.right, grid, trace)
  const matcher = new Matcher(evaluator.context, node, grid, left, right)
  await matcher.run()
  return matcher.result
}

/** Room made at once for rows of the result. */
const ROWS_RESERVED_MAX = 1024

const DUPLICATE = -2
const NOT_EXPLICIT = 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)'
const NOT_UNIQUE = 'multiple matches for labels: grouping labels must ensure unique matches'

/** Rows of the two sides with the same signature. */
interface MatchGroup {
  readonly key: number
  readonly many: number[]
  readonly one: number[]
}

class Matcher {
  readonly #context: QueryContext
  readonly #node: BinaryPlan
  readonly #matching: VectorMatching
  readonly #steps: number
  /** The side that may have several series in a group, and the one that may not: `group_right` swaps them. */
  readonly #many: VectorBatch
  readonly #one: VectorBatch
  readonly #swapped: boolean
  readonly #fillMany: number | undefined
  readonly #fillOne: number | undefined
  readonly #merger: RowMerger
  readonly #keys: MatchingKeys
  /** Whether the result keeps a label of the "many" side, by the id of its name. */
  readonly #keepsLabel: (nameId: number) => boolean
  /** Ids of the names that come from the "one" side. */
  readonly #included: readonly number[]
  /** At which steps each side has any sample at all: errors need both. */
  readonly #manyPresent: Uint8Array
  readonly #onePresent: Uint8Array
  /** The error that Prometheus meets first, as it goes step by step and looks at the side of one first. */
  #failure: { readonly step: number; readonly ofOne: boolean; readonly error: PromqlError } | undefined

  constructor(context: QueryContext, node: BinaryPlan, grid: Grid, left: VectorBatch, right: VectorBatch) {
    this.#context = context
    this.#node = node
    this.#matching = node.matching!
    this.#steps = grid.count
    this.#swapped = this.#matching.cardinality === 'one-to-many'
    this.#many = this.#swapped ? right : left
    this.#one = this.#swapped ? left : right
    const { fillLeft, fillRight } = this.#matching
    // As in Prometheus, group_right swaps the sides but not the fill values: `fill_left` is for the "many" side.
    this.#fillMany = fillLeft
    this.#fillOne = fillRight
    this.#merger = new RowMerger(context, grid.count)
    this.#keys = new MatchingKeys(context.labels, this.#matching)
    const { labels } = context
    const changesMetric = CHANGES_METRIC.has(node.operator)
    const metadata = new Set([METRIC_NAME, '__type__', '__unit__'].map((name) => labels.textId(name)))
    const matchedIds = new Set(this.#matching.labels.map((name) => labels.textId(name)))
    const { cardinality, on, include } = this.#matching
    this.#keepsLabel = (nameId) => {
      if (changesMetric && metadata.has(nameId)) return false
      return cardinality !== 'one-to-one' || matchedIds.has(nameId) === on
    }
    this.#included = include.map((name) => labels.textId(name))
    this.#manyPresent = presentSteps(this.#many)
    this.#onePresent = presentSteps(this.#one)
  }

  get result(): VectorBatch {
    return this.#merger.batch
  }

  async run(): Promise<void> {
    // Most series find their other half.
    if (this.#inColumns) this.#merger.batch.reserve(Math.min(this.#many.seriesCount, ROWS_RESERVED_MAX))
    for (const group of await this.#groups()) {
      const { many, one } = group
      const { cardinality } = this.#matching
      if (this.#inColumns && many.length === 1 && one.length === 1) {
        this.#combineColumns(many[0], one[0], this.#resultLabels(many[0], one[0], group))
      } else if (this.#inColumns && one.length === 1 && many.length > 1 && cardinality !== 'one-to-one') {
        this.#combineMany(group)
      } else if (many.length + one.length > 1 || this.#fillMany !== undefined || this.#fillOne !== undefined) {
        this.#combineSteps(group)
      }
      if (this.#context.shouldYield()) await this.#context.yield()
    }
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Floats only, and no values to fill in: rows are combined as columns. */
  get #inColumns(): boolean {
    const { operator } = this.#node
    const floatsOnly = this.#many.histograms === undefined && this.#one.histograms === undefined
    const simple = floatsOnly && operator !== '</' && operator !== '>/'
    return simple && this.#fillMany === undefined && this.#fillOne === undefined
  }

  async #groups(): Promise<Iterable<MatchGroup>> {
    const groups = new Map<number, MatchGroup>()
    const groupOf = (labelSet: number) => {
      const key = this.#keys.keyOf(labelSet)
      let group = groups.get(key)
      if (group === undefined) groups.set(key, (group = { key, many: [], one: [] }))
      return group
    }
    for (let row = 0; row < this.#many.seriesCount; row++) {
      groupOf(this.#many.labelSets[row]).many.push(row)
      if ((row & 255) === 255 && this.#context.shouldYield()) await this.#context.yield()
    }
    for (let row = 0; row < this.#one.seriesCount; row++) {
      groupOf(this.#one.labelSets[row]).one.push(row)
      if ((row & 255) === 255 && this.#context.shouldYield()) await this.#context.yield()
    }
    return groups.values()
  }

  /** Several series beside one: in columns too, if their results do not meet, as they should not. */
  #combineMany(group: MatchGroup): void {
    const [oneRow] = group.one
    const labels = group.many.map((manyRow) => this.#resultLabels(manyRow, oneRow, group))
    if (new Set(labels).size < labels.length) this.#combineSteps(group)
    else for (let i = 0; i < labels.length; i++) this.#combineColumns(group.many[i], oneRow, labels[i])
  }

  /** One series on each side: all steps in a loop. */
  #combineColumns(manyRow: number, oneRow: number, labels: number): void {
    const { operator, returnBool } = this.#node
    const many = this.#many
    const one = this.#one
    const steps = this.#steps
    const operation = floatOperation(operator)
    const filters = COMPARISONS.has(operator) && !returnBool
    const [left, right] = this.#swapped ? [one, many] : [many, one]
    const leftRow = this.#swapped ? oneRow : manyRow
    const rightRow = this.#swapped ? manyRow : oneRow
    const { batch } = this.#merger
    let row = -1
    let at = 0
    for (let s = 0, l = leftRow * steps, r = rightRow * steps; s < steps; s++, l++, r++) {
      if (left.presence[l] !== FLOAT || right.presence[r] !== FLOAT) continue
      let result = operation(left.values[l], right.values[r])
      if (filters) {
        if (result === 0) continue
        result = left.values[l]
      }
      if (row < 0) {
        row = this.#merger.rowOf(labels, returnBool ? 1 : 0)
        at = row * steps
      }
      this.#merger.checkFree(row, s)
      batch.values[at + s] = result
      batch.presence[at + s] = FLOAT
    }
  }

  /** Any number of series on either side, matched anew at every step. -1 stands for a filled series. */
  #combineSteps(group: MatchGroup): void {
    const labelsOf = new Map<number, number>()
    const resultLabels = (manyRow: number, oneRow: number) => {
      const pair = (manyRow + 1) * (this.#one.seriesCount + 1) + oneRow + 1
      let labels = labelsOf.get(pair)
      if (labels === undefined) labelsOf.set(pair, (labels = this.#resultLabels(manyRow, oneRow, group)))
      return labels
    }
    const last = this.#failure === undefined ? this.#steps - 1 : this.#failure.step
    for (let s = 0; s <= last; s++) {
      const bothPresent = this.#manyPresent[s] === 1 && this.#onePresent[s] === 1
      if (!bothPresent && this.#fillMany === undefined && this.#fillOne === undefined) continue
      const oneRow = this.#oneAt(group, s)
      if (oneRow === DUPLICATE) return
      let matchedBefore = false
      const seen = new Set<number>()
      for (const manyRow of group.many) {
        if (this.#many.presence[manyRow * this.#steps + s] === ABSENT) continue
        if (oneRow < 0 && this.#fillOne === undefined) continue
        matchedBefore = this.#combineStep(s, manyRow, oneRow, matchedBefore, seen, resultLabels)
        if (this.#failure?.step === s) return
      }
      if (!matchedBefore && seen.size === 0 && oneRow >= 0 && this.#fillMany !== undefined) {
        const anyMany = group.many.some((row) => this.#many.presence[row * this.#steps + s] !== ABSENT)
        if (!anyMany) this.#combineStep(s, -1, oneRow, false, seen, resultLabels)
      }
    }
  }

  /** The row of the "one" side at a step, or -1; `DUPLICATE`, and a failure, if there are two. */
  #oneAt(group: MatchGroup, step: number): number {
    let found = -1
    for (const row of group.one) {
      if (this.#one.presence[row * this.#steps + step] === ABSENT) continue
      if (found >= 0) {
        this.#fail(step, true, this.#manyToMany(group.key, row, found))
        return DUPLICATE
      }
      found = row
    }
    return found
  }

  #fail(step: number, ofOne: boolean, error: PromqlError): void {
    const known = this.#failure
    if (known !== undefined && (known.step < step || (known.step === step && (known.ofOne || !ofOne)))) return
    this.#failure = { step, ofOne, error }
  }

  /** Returns whether the group has matched. */
  #combineStep(
    step: number,
    manyRow: number,
    oneRow: number,
    matchedBefore: boolean,
    seen: Set<number>,
    resultLabels: (manyRow: number, oneRow: number) => number,
  ): boolean {
    const { operator, returnBool, position } = this.#node
    const manySample = manyRow < 0 ? this.#fillMany! : sampleAt(this.#many, manyRow, step)
    const oneSample = oneRow < 0 ? this.#fillOne! : sampleAt(this.#one, oneRow, step)
    const left = this.#swapped ? oneSample : manySample
    const right = this.#swapped ? manySample : oneSample
    const combined = combineSamples(operator, left, right, { annotations: this.#context.annotations, position })
    if (combined === undefined) return matchedBefore
    const labels = resultLabels(manyRow, oneRow)
    if (this.#matching.cardinality === 'one-to-one') {
      if (matchedBefore) {
        this.#fail(step, false, new PromqlError('execution', NOT_EXPLICIT))
        return true
      }
    } else {
      if (seen.has(labels)) {
        this.#fail(step, false, new PromqlError('execution', NOT_UNIQUE))
        return true
      }
      seen.add(labels)
    }
    if (!combined.keep && !returnBool) return true
    const row = this.#merger.rowOf(labels, returnBool ? 1 : 0)
    this.#merger.checkFree(row, step)
    const value = returnBool ? (combined.keep ? 1 : 0) : combined.value
    if (typeof value === 'number') this.#merger.batch.setFloat(row, step, value)
    else this.#merger.batch.setHistogram(row, step, value)
    return true
  }

  /** Interned labels of the result of two rows. */
  #resultLabels(manyRow: number, oneRow: number, group: MatchGroup): number {
    const { labels } = this.#context
    // A filled series has the labels of its match group.
    const manySet = manyRow < 0 ? group.key : this.#many.labelSets[manyRow]
    const oneSet = oneRow < 0 ? group.key : this.#one.labelSets[oneRow]
    let result = labels.filter(manySet, this.#keepsLabel)
    for (const nameId of this.#included) result = labels.withId(result, nameId, labels.valueId(oneSet, nameId))
    return result
  }

  #manyToMany(key: number, row: number, other: number): PromqlError {
    const { labels } = this.#context
    const group = formatLabels(labels.labels(key))
    const side = this.#swapped ? 'left' : 'right'
    const series = [row, other].map((each) => formatLabels(labels.labels(this.#one.labelSets[each])))
    return new PromqlError(
      'execution',
      `found duplicate series for the match group ${group} on the ${side} hand-side of the operation: ` +
        `[${series.join(', ')}];many-to-many matching not allowed: matching labels must be unique on one side`,
    )
  }
}

function sampleAt(batch: VectorBatch, row: number, step: number): number | Histogram {
  const at = row * batch.steps + step
  return batch.presence[at] === FLOAT ? batch.values[at] : batch.histograms![at]!
}

function presentSteps(batch: VectorBatch): Uint8Array {
  const { steps, presence, seriesCount } = batch
  const present = new Uint8Array(steps)
  // Nearly always the first row has them all.
  for (let row = 0, missing = steps; row < seriesCount && missing > 0; row++) {
    for (let s = 0, at = row * steps; s < steps; s++, at++) {
      if (presence[at] === ABSENT || present[s] === 1) continue
      present[s] = 1
      missing--
    }
  }
  return present
}
