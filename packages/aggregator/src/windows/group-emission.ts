/** What groups write at the end of an evaluation, and pass on to the groups of rules that read them. */
import type { Histogram, Labels } from '@varve/tsdb-core/model'
import type { EmptyWindow } from './empty-windows.js'
import type { GroupCells } from './group-cells.js'
import type { HistogramCells } from './histogram-cells.js'
import type { Contribution, Group, GroupOutput, WindowPlan } from './plan.js'
import type { RowWriter } from './row-writer.js'

const GROUP = 1
/** A rule has at most so many aggregations (`rule-document.ts`). */
export const OUTPUTS_MAX = 32

export interface GroupEmissionOptions {
  readonly plan: WindowPlan
  readonly cells: GroupCells
  readonly histograms: HistogramCells
  readonly writer: RowWriter
  readonly firstEndMs: number
  readonly windowCount: number
  readonly resolutionMs: number
  /** Groups whose outputs are to be written; null: all. */
  readonly touchedGroups: Set<number> | null
  /** A group has nothing in a window. */
  readonly addEmpty: (empty: EmptyWindow) => void
}

export class GroupEmission {
  readonly rowsByRule = new Map<string, number>()
  readonly #options: GroupEmissionOptions

  constructor(options: GroupEmissionOptions) {
    this.#options = options
  }

  /** Passes a group's results on to those that read it, and writes them. */
  emit(group: Group, index: number): void {
    const { firstEndMs, windowCount, resolutionMs, touchedGroups, writer } = this.#options
    const { cells } = this.#options
    const isTouched = touchedGroups?.has(index) ?? true
    group.outputs.forEach((output, at) => {
      if (output === null) return
      for (const { group: target } of output.targets) {
        if (isTouched) touchedGroups?.add(target)
        if (cells.lives(index, -1)) cells.addLiving(target, -1)
      }
      const slot = index * OUTPUTS_MAX + at
      const histograms = group.stage.rule.outputs[at].aggregation.operator === 'sum' ? this.#options.histograms : null
      if (histograms?.lives(index, -1)) {
        for (const target of output.targets) this.#passHistogram(target, -1, true, null, output.labels)
      }
      for (let window = 0; window < windowCount; window++) {
        const lives = cells.lives(index, window)
        const hasValue = cells.hasValue(index, window)
        const value = hasValue ? cells.result(index, at, window) : 0
        const endMs = firstEndMs + window * resolutionMs
        const sum = histograms ? this.#sumOf(group, index, output, window, hasValue) : null
        const hasHistogramLife = histograms?.lives(index, window) ?? false
        for (const target of output.targets) {
          this.#pass(target, window, lives, hasValue, value, endMs)
          this.#passHistogram(target, window, hasHistogramLife, sum, output.labels)
        }
        if (!group.stage.emits || output.suppressed || !isTouched) continue
        if (hasValue) {
          writer.add(GROUP, slot, endMs, value)
          this.#countRow(group)
        } else if (sum) {
          writer.addHistogram(GROUP, slot, endMs, sum)
          this.#countRow(group)
        } else if (
          !lives &&
          !hasHistogramLife &&
          (cells.lives(index, window - 1) || histograms?.lives(index, window - 1))
        )
          writer.addMarker(GROUP, slot, endMs)
        else this.#options.addEmpty({ labels: output.labels, table: GROUP, slots: [slot], endMs })
      }
    })
  }

  #countRow({ stage }: Group): void {
    const { name } = stage.rule
    this.rowsByRule.set(name, (this.rowsByRule.get(name) ?? 0) + 1)
  }

  /** The sum of a group's native histograms in a window; null when there is none. */
  #sumOf(group: Group, index: number, output: GroupOutput, window: number, hasFloats: boolean): Histogram | null {
    const sum = this.#options.histograms.sum(index, window)
    if (sum === undefined) return null
    const { rule } = group.stage
    if (sum === null) this.#options.plan.bucketProblem(rule, output.labels)
    else if (hasFloats) this.#options.plan.mixedProblem(rule, output.labels)
    return hasFloats ? null : sum
  }

  /** The same of native histograms as `#pass` of floats. */
  #passHistogram(target: Contribution, window: number, lives: boolean, sum: Histogram | null, labels: Labels): void {
    if (!lives && sum === null) return
    if (!this.#options.plan.addsHistograms(target)) {
      this.#options.plan.histogramProblem(this.#options.plan.groups[target.group].stage.rule, labels)
      return
    }
    if (lives) this.#options.histograms.addLiving(target.group, window)
    if (sum) this.#options.histograms.add(target.group, window, sum)
  }

  /** One window of an output, as a contribution to another rule's group. */
  #pass(target: Contribution, window: number, lives: boolean, hasValue: boolean, value: number, endMs: number): void {
    const { cells, resolutionMs } = this.#options
    if (lives) cells.addLiving(target.group, window)
    if (!hasValue) return
    const rate = (value * 1000) / resolutionMs
    cells.fold(target.group, window, target.each === 'count' ? 1 : target.each === 'rate' ? rate : value, endMs)
    cells.addContributed(target.group, window)
  }
}
