/** Cells of the groups of an evaluation, one a group and window: what was folded into them, and whether they live. */
import { extended } from './columns.js'
import type { Group, RollupStage, WindowPlan } from './plan.js'

/** Cells of the groups of one stage. */
export interface StageCells {
  /** How many members or inputs contributed a value. */
  contributed: Uint32Array<ArrayBuffer>
  /** How many live. Cell 0 of a group is the window before the first. */
  living: Uint32Array<ArrayBuffer>
  groupCapacity: number
}

export class GroupCells {
  readonly windowCount: number
  readonly #cells = new Map<RollupStage, StageCells>()
  /** By group; made when first asked for. */
  readonly #byGroup: (StageCells | undefined)[] = []
  readonly #groups: readonly Group[]

  constructor(plan: WindowPlan, windowCount: number) {
    this.windowCount = windowCount
    this.#groups = plan.groups
    for (const stage of plan.stages) {
      const groupCapacity = Math.max(16, stage.groupCount * 2)
      for (const fold of stage.folds) fold.reset(groupCapacity * windowCount)
      this.#cells.set(stage, {
        contributed: new Uint32Array(groupCapacity * windowCount),
        living: new Uint32Array(groupCapacity * (windowCount + 1)),
        groupCapacity,
      })
    }
  }

  /** The cells of the group's stage, with room for the group: it may have been made a moment ago. */
  of(index: number): StageCells {
    const group = this.#groups[index]
    let cells = this.#byGroup[index]
    if (cells === undefined) {
      cells = this.#cells.get(group.stage)!
      this.#byGroup[index] = cells
    }
    if (group.number < cells.groupCapacity) return cells
    const { windowCount } = this
    cells.groupCapacity = Math.max(group.stage.groupCount, cells.groupCapacity * 2)
    cells.contributed = extended(cells.contributed, cells.groupCapacity * windowCount)
    cells.living = extended(cells.living, cells.groupCapacity * (windowCount + 1))
    for (const fold of group.stage.folds) fold.reserve(cells.groupCapacity * windowCount)
    return cells
  }

  /** Folds a value into a cell of the group, for each of its aggregations. */
  fold(group: Group, cell: number, value: number, timestampMs: number): void {
    const { rule, folds } = group.stage
    const contributed = rule.absolute ? Math.abs(value) : value
    for (let index = 0; index < folds.length; index++) {
      if (group.outputs[index] !== null) folds[index].add(cell, contributed, timestampMs)
    }
  }
}
