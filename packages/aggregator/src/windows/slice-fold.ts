/**
 * What the members of a slice contribute to the groups of rollup rules, for one window.
 *
 * Rust twin: native/windows/src/fold.rs.
 */
import { nativeKernels, type WindowKernels } from '@varve/native'
import { type RecentSamples, RUN_STRIDE } from '@varve/tsdb-core'
import { halvesOf, isStaleAt } from '@varve/tsdb-core/model'
import { contributedBy } from './contribution.js'
import type { GroupCells } from './group-cells.js'
import { EACH_FOREIGN } from './group-columns.js'
import type { WindowPlan } from './plan.js'
import type { SliceScan } from './slice-scan.js'

export class SliceFold {
  readonly #kernels: WindowKernels | null
  readonly #plan: WindowPlan
  readonly #cells: GroupCells
  readonly #resolutionMs: number

  /** The cells are those of one window. Without kernels (null) TypeScript does the same. */
  constructor(
    plan: WindowPlan,
    cells: GroupCells,
    resolutionMs: number,
    kernels: WindowKernels | null = nativeKernels() ?? null,
  ) {
    this.#plan = plan
    this.#cells = cells
    this.#resolutionMs = resolutionMs
    this.#kernels = kernels
  }

  /** Folds what was scanned of these samples. */
  fold(scan: SliceScan, samples: RecentSamples): void {
    this.#cells.reserve()
    if (this.#kernels === null) {
      this.#fold(scan, samples, false)
      return
    }
    this.#foldNatively(this.#kernels, scan)
    if (this.#plan.columns.hasForeign) this.#fold(scan, samples, true)
  }

  #foldNatively(kernels: WindowKernels, scan: SliceScan): void {
    const { columns } = this.#plan
    const cells = this.#cells
    kernels.foldWindow(
      scan.members,
      scan.count,
      scan.counts,
      scan.sums,
      scan.mins,
      scan.maxs,
      scan.lasts,
      scan.lastTimesMs,
      scan.increases,
      scan.lives,
      scan.livedBefore,
      this.#resolutionMs,
      columns.starts,
      columns.counts,
      columns.groups,
      columns.each,
      columns.absolutes,
      columns.foldStarts,
      columns.foldCounts,
      columns.codes,
      cells.starts,
      cells.values,
      cells.contributed,
      cells.living,
    )
  }

  #fold(scan: SliceScan, { runs, runCount, timestampsMs, values }: RecentSamples, foreignOnly: boolean): void {
    const plan = this.#plan
    const { columns } = plan
    const cells = this.#cells
    const { members, counts, lives, livedBefore, lastTimesMs } = scan
    const halves = halvesOf(values)
    for (let run = 0, i = 0; run < runCount; run++) {
      const at = run * RUN_STRIDE
      const first = i
      const end = runs[at]
      for (; i < end; i++) {
        if (counts[i] === 0 && lives[i] === 0 && livedBefore[i] === 0) continue
        const start = columns.starts[members[i]]
        for (let k = start; k < start + columns.counts[members[i]]; k++) {
          const index = columns.groups[k]
          if (foreignOnly && columns.each[index] !== EACH_FOREIGN) continue
          if (livedBefore[i] === 1) cells.addLiving(index, -1)
          if (lives[i] === 1) cells.addLiving(index, 0)
          if (counts[i] === 0) continue
          const { each } = plan.groups[index]
          if (each === 'all') {
            for (let sample = 0; sample < runs[at + 1]; sample++) {
              const place = runs[at + 3] + sample * (end - first) + i - first
              if (isStaleAt(halves, place)) continue
              cells.fold(index, 0, values[place], timestampsMs[runs[at + 2] + sample])
            }
          } else cells.fold(index, 0, contributedBy(scan, each, i, this.#resolutionMs), lastTimesMs[i])
          cells.addContributed(index, 0)
        }
      }
    }
  }
}
