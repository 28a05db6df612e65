/**
 * Cells of the groups of an evaluation, one a group and window: what was folded into them, and whether they live.
 *
 *     starts[g]   ┌ window 0 ────────────┬ window 1 ────────────┬ …
 *     values      │ fold 0 │ fold 1 │ …  │ fold 0 │ fold 1 │ …  │      each fold has as many numbers as it is wide
 */
import { extended } from './columns.js'
import type { Group, WindowPlan } from './plan.js'

export class GroupCells {
  readonly windowCount: number
  values: Float64Array<ArrayBuffer>
  #valuesLength = 0
  /** By group: where its cells begin in `values`. */
  starts: Uint32Array<ArrayBuffer>
  /** By group and window: how many members or inputs contributed a value. */
  contributed: Uint32Array<ArrayBuffer>
  /** By group and window, the one before the first included: how many live. */
  living: Uint32Array<ArrayBuffer>
  #groupCount = 0
  readonly #groups: readonly Group[]

  constructor(plan: WindowPlan, windowCount: number) {
    this.windowCount = windowCount
    this.#groups = plan.groups
    const capacity = Math.max(16, plan.groups.length * 2)
    this.values = new Float64Array(capacity * windowCount * 2)
    this.starts = new Uint32Array(capacity)
    this.contributed = new Uint32Array(capacity * windowCount)
    this.living = new Uint32Array(capacity * (windowCount + 1))
    for (const { folds } of plan.stages) for (const fold of folds) fold.reset()
    this.reserve()
  }

  /** Makes cells for groups that are new in the plan. */
  reserve(): void {
    const { windowCount } = this
    if (this.#groups.length > this.starts.length) {
      const capacity = this.#groups.length * 2
      this.starts = extended(this.starts, capacity)
      this.contributed = extended(this.contributed, capacity * windowCount)
      this.living = extended(this.living, capacity * (windowCount + 1))
    }
    for (; this.#groupCount < this.#groups.length; this.#groupCount++) {
      const group = this.#groups[this.#groupCount]
      const width = widthOf(group)
      const end = this.#valuesLength + width * windowCount
      if (end > this.values.length) this.values = extended(this.values, end * 2)
      this.starts[this.#groupCount] = this.#valuesLength
      for (; this.#valuesLength < end; this.#valuesLength += width) this.#begin(group, this.#valuesLength)
    }
  }

  /** Folds a value into the group's cell of a window, for each of its aggregations. */
  fold(index: number, window: number, value: number, timestampMs: number): void {
    const group = this.#groupAt(index)
    const { rule, folds } = group.stage
    const contributed = rule.absolute ? Math.abs(value) : value
    let at = this.starts[index] + window * widthOf(group)
    for (let output = 0; output < folds.length; output++) {
      if (group.outputs[output] === null) continue
      folds[output].add(this.values, at, contributed, timestampMs)
      at += folds[output].width
    }
  }

  /** A value, or several of one series, were folded into the cell. */
  addContributed(index: number, window: number): void {
    this.#groupAt(index)
    this.contributed[index * this.windowCount + window]++
  }

  hasValue(index: number, window: number): boolean {
    this.#groupAt(index)
    return this.contributed[index * this.windowCount + window] > 0
  }

  /** Window -1 is the one before the first. */
  addLiving(index: number, window: number): void {
    this.#groupAt(index)
    this.living[index * (this.windowCount + 1) + window + 1]++
  }

  lives(index: number, window: number): boolean {
    this.#groupAt(index)
    return this.living[index * (this.windowCount + 1) + window + 1] > 0
  }

  /** What a cell with a value has for one of the rule's aggregations. */
  result(index: number, output: number, window: number): number {
    const group = this.#groupAt(index)
    const { folds } = group.stage
    let at = this.starts[index] + window * widthOf(group)
    for (let before = 0; before < output; before++) if (group.outputs[before] !== null) at += folds[before].width
    return folds[output].result(this.values, at)
  }

  /** The group, with cells: it may have been made a moment ago. */
  #groupAt(index: number): Group {
    if (index >= this.#groupCount) this.reserve()
    return this.#groups[index]
  }

  #begin({ stage, outputs }: Group, start: number): void {
    let at = start
    stage.folds.forEach((fold, output) => {
      if (outputs[output] === null) return
      fold.begin(this.values, at)
      at += fold.width
    })
  }
}

function widthOf({ stage, outputs }: Group): number {
  let width = 0
  for (let output = 0; output < outputs.length; output++) {
    if (outputs[output] !== null) width += stage.folds[output].width
  }
  return width
}
