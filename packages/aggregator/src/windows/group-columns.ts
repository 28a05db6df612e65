/**
 * What the groups of a plan fold and what members contribute to them, as columns: by group, by member, and lists of both.
 *
 *     member   ──▶ groups[starts[m], + counts[m])        the groups to which it contributes
 *     group    ──▶ codes[foldStarts[g], + foldCounts[g]) its folds, one after the other in its cells
 */
import type { Fold } from '../aggregations/fold.js'
import { FOREIGN } from '../aggregations/fold.js'
import type { EachFunction } from '../rules/rule.js'
import { extended } from './columns.js'

/** What each series contributes, by its number here: as in native/windows/src/fold.rs. */
export const EACH: readonly EachFunction[] = ['last', 'min', 'max', 'sum', 'avg', 'count', 'increase', 'rate', 'all']
/** A group that only TypeScript folds: all samples, or an aggregation that kernels do not have. */
export const EACH_FOREIGN = 255

export class GroupColumns {
  /** By group: what each series contributes, a number of `EACH`; or `EACH_FOREIGN`. */
  each: Uint8Array<ArrayBuffer> = new Uint8Array(64)
  /** By group: 1 when what is contributed counts without its sign. */
  absolutes: Uint8Array<ArrayBuffer> = new Uint8Array(64)
  foldStarts: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  foldCounts: Uint8Array<ArrayBuffer> = new Uint8Array(64)
  codes: Uint8Array<ArrayBuffer> = new Uint8Array(64)
  #codeCount = 0
  /** Groups of the members, a list for each of them. */
  groups: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  groupsLength = 0
  /** By member: where its list begins, and how long it is. */
  starts: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  counts: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  /** Some groups are folded by TypeScript only. */
  hasForeign = false

  setGroup(group: number, each: EachFunction, absolute: boolean, folds: readonly Fold[]): void {
    if (group >= this.each.length) {
      const length = Math.max(group + 1, this.each.length * 2)
      this.each = extended(this.each, length)
      this.absolutes = extended(this.absolutes, length)
      this.foldStarts = extended(this.foldStarts, length)
      this.foldCounts = extended(this.foldCounts, length)
    }
    const isForeign = each === 'all' || folds.some(({ code }) => code === FOREIGN)
    this.hasForeign ||= isForeign
    this.each[group] = isForeign ? EACH_FOREIGN : EACH.indexOf(each)
    this.absolutes[group] = absolute ? 1 : 0
    this.foldStarts[group] = this.#codeCount
    this.foldCounts[group] = folds.length
    for (const { code } of folds) {
      if (this.#codeCount === this.codes.length) this.codes = extended(this.codes, this.#codeCount * 2)
      this.codes[this.#codeCount++] = code
    }
  }

  addMember(member: number, groups: readonly number[]): void {
    if (member >= this.starts.length) {
      const length = Math.max(member + 1, this.starts.length * 2)
      this.starts = extended(this.starts, length)
      this.counts = extended(this.counts, length)
    }
    this.starts[member] = this.groupsLength
    this.counts[member] = groups.length
    for (const group of groups) {
      if (this.groupsLength === this.groups.length) this.groups = extended(this.groups, this.groupsLength * 2)
      this.groups[this.groupsLength++] = group
    }
  }
}
