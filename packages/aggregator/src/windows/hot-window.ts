/**
 * The window of every minute: one window, in order, of members whose last samples are remembered. Members are taken in slices:
 * their new samples are read by reference, scanned into columns, folded into groups, and the columns are stored as they are.
 *
 * What does not fit (new members, histograms, samples that are not in the head alone) is left to the evaluation by `select`.
 */
import type { Namespace, RecentSamples, WindowBatch } from '@varve/tsdb-core'
import { halvesOf, isStaleAt, writeStaleAt } from '@varve/tsdb-core/model'
import { AggregatorError } from '../errors.js'
import type { EachFunction } from '../rules/rule.js'
import { extended } from './columns.js'
import type { GroupCells } from './group-cells.js'
import type { MemberStates } from './member-states.js'
import { COLUMNS, type WindowPlan } from './plan.js'
import { SliceScan } from './slice-scan.js'

const SLICE_MEMBERS = 1024
/** The same while outputs are new: to make them known and to make room for them costs ten times as much. */
const NEW_SLICE_MEMBERS = 256
/** Slices whose records are written and synced together. As many may be on their way to the disk beside. */
const SLICES_PER_WRITE = 24
/** Columns that members keep: all but `value`, which is of groups. */
const MEMBER_COLUMNS = COLUMNS.slice(0, 6)
const MEMBER_MASK = (1 << MEMBER_COLUMNS.length) - 1
const UNRESOLVED = 0
/** So many labels are encoded and looked up before others get their turn. */
const SERIES_PER_TURN = 128

/** Members that a rule concerns, in order, with the references of their output series. Lives as long as the plan. */
export class UsedMembers {
  members: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  count = 0
  /** By member: reference of the output's column `value`, 0 when it is to be resolved. */
  targets: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  /** Buffers that are free. */
  readonly slices: Slice[] = []
  #seen = 0

  /** Whether the outputs from this place on are not known yet: members come in the order in which their outputs do. */
  isNew(place: number): boolean {
    return this.targets[this.members[place]] === UNRESOLVED
  }

  /** Takes in members that are new in the plan. */
  update(plan: WindowPlan): void {
    if (plan.memberCount > this.targets.length) this.targets = extended(this.targets, plan.memberCount * 2)
    for (; this.#seen < plan.memberCount; this.#seen++) {
      if (!plan.isUsed(this.#seen)) continue
      if (this.count === this.members.length) this.members = extended(this.members, this.count * 2)
      this.members[this.count++] = this.#seen
    }
  }
}

export interface HotWindowOptions {
  readonly raw: Namespace
  readonly target: Namespace
  readonly plan: WindowPlan
  readonly used: UsedMembers
  readonly states: MemberStates
  readonly cells: GroupCells
  readonly endMs: number
  readonly resolutionMs: number
  readonly lookbackMs: number
  /** Marks a member as done. */
  readonly see: (member: number) => void
  /** Gives others their turn when it is time. */
  readonly pause: () => Promise<void>
}

export class HotWindow {
  readonly #options: HotWindowOptions
  /** Of slices that may not be durable yet, oldest first. */
  readonly #durable: Promise<void>[] = []
  /** Members that were left to `select`. */
  readonly left: number[] = []
  rowCount = 0
  readSampleCount = 0

  constructor(options: HotWindowOptions) {
    this.#options = options
  }

  /** False: the window's samples cannot be read this way; from some member on, or at all. */
  async run(): Promise<boolean> {
    const { raw, plan, used, states, endMs, resolutionMs, lookbackMs, pause } = this.#options
    used.update(plan)
    states.reserve(plan.memberCount)
    for (let from = 0, end = 0; from < used.count; from = end) {
      const slice = used.slices.pop() ?? new Slice()
      end = Math.min(used.count, from + (used.isNew(from) ? NEW_SLICE_MEMBERS : SLICE_MEMBERS))
      const count = this.#fill(slice, from, end)
      const refs = slice.refs.subarray(0, count)
      const samples = await raw.readRecent(refs, endMs - resolutionMs + 1, endMs + 1)
      if (samples === null) return false
      this.#leave(slice.scan, samples)
      slice.scan.scan(samples, states, endMs, resolutionMs, lookbackMs)
      this.readSampleCount += samples.sampleOffsets[count]
      this.#contribute(slice.scan, samples)
      if (this.#emit(slice)) {
        await this.#resolve(slice)
        await this.#store(slice)
      }
      used.slices.push(slice)
      await pause()
    }
    return true
  }

  /** Resolves once all that was stored is durable. */
  async settle(): Promise<void> {
    this.#options.target.writeDeferred()
    const results = await Promise.allSettled(this.#durable)
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  #fill(slice: Slice, from: number, end: number): number {
    const { plan, used } = this.#options
    const { members } = slice.scan
    let count = 0
    for (let i = from; i < end; i++) {
      const member = used.members[i]
      if (plan.hasHistograms(member)) {
        this.left.push(member)
        continue
      }
      members[count] = member
      slice.refs[count++] = plan.memberRefs[member]
    }
    slice.scan.count = count
    return count
  }

  /** Members that cannot be taken here are left, and passed over by the scan. */
  #leave({ members, skips, count }: SliceScan, { sampleOffsets, unread }: RecentSamples): void {
    const { states, see } = this.#options
    const { valuesMs } = states
    let next = 0
    for (let i = 0; i < count; i++) {
      const member = members[i]
      skips[i] = 0
      if (next < unread.length && unread[next] === i) {
        next++
        skips[i] = 1
        this.left.push(member)
      } else if (Number.isNaN(valuesMs[member])) {
        if (sampleOffsets[i + 1] > sampleOffsets[i]) this.left.push(member)
      } else see(member)
    }
  }

  #contribute(scan: SliceScan, { sampleOffsets, timestampsMs, values }: RecentSamples): void {
    const { plan, cells } = this.#options
    const { members, count, counts, lives, livedBefore, lastTimesMs } = scan
    const halves = halvesOf(values)
    for (let i = 0; i < count; i++) {
      const contributions = plan.contributionCount(members[i])
      if (contributions === 0 || (counts[i] === 0 && lives[i] === 0 && livedBefore[i] === 0)) continue
      const start = plan.contributionStart(members[i])
      for (let k = start; k < start + contributions; k++) {
        const { group: index, each } = plan.contributions[k]
        const group = plan.groups[index]
        const { living, contributed } = cells.of(index)
        const cell = group.number
        living[cell * 2] += livedBefore[i]
        living[cell * 2 + 1] += lives[i]
        if (counts[i] === 0) continue
        if (each === 'all') {
          for (let at = sampleOffsets[i]; at < sampleOffsets[i + 1]; at++) {
            if (!isStaleAt(halves, at)) cells.fold(group, cell, values[at], timestampsMs[at])
          }
        } else cells.fold(group, cell, contributedBy(scan, each, i, this.#options.resolutionMs), lastTimesMs[i])
        contributed[cell]++
      }
    }
  }

  /** Which columns each member writes; false: none at all. */
  #emit({ scan, masks, halves }: Slice): boolean {
    const { plan } = this.#options
    const { members, count, counts, lives, livedBefore } = scan
    let any = 0
    for (let i = 0; i < count; i++) {
      const columns = plan.memberColumns[members[i]] & MEMBER_MASK
      const hasEnded = counts[i] === 0 && livedBefore[i] === 1 && lives[i] === 0
      masks[i] = counts[i] > 0 || hasEnded ? columns : 0
      any |= masks[i]
      if (hasEnded) for (const column of halves) writeStaleAt(column, i)
    }
    return any !== 0
  }

  /** Stores a slice's columns, which are to be used again then. */
  async #store(slice: Slice): Promise<void> {
    const { target, endMs } = this.#options
    const { scan, masks } = slice
    const { members, count } = scan
    const batch: WindowBatch = { timestampMs: endMs, count, seriesRefs: slice.targets, masks, columns: slice.columns }
    for (;;) {
      const { appendedCount, refused, unknown, durable } = await target.appendWindow(batch, { deferred: true })
      this.rowCount += appendedCount
      await this.#note(durable)
      if (refused === 'TOO_FAR_AHEAD') {
        throw new AggregatorError('UNAVAILABLE', `namespace ${target.name} refused a window: ${refused}`)
      }
      if (unknown.length === 0 || refused !== null) break
      // Evicted since they were resolved: those once more.
      const again = new Set(unknown)
      for (let i = 0; i < count; i++) {
        if (again.has(i)) this.#options.used.targets[members[i]] = UNRESOLVED
        else masks[i] = 0
      }
      await this.#resolve(slice)
    }
  }

  /** Does not run far ahead of a slow disk. */
  async #note(durable: Promise<void>): Promise<void> {
    this.#durable.push(durable)
    if (this.#durable.length % SLICES_PER_WRITE !== 0) return
    this.#options.target.writeDeferred()
    if (this.#durable.length > SLICES_PER_WRITE) {
      await Promise.all(this.#durable.splice(0, this.#durable.length - SLICES_PER_WRITE))
    }
  }

  async #resolve({ scan, masks, targets }: Slice): Promise<void> {
    const { raw, target, plan, used, pause } = this.#options
    const { members, count } = scan
    const unresolved: number[] = []
    for (let i = 0; i < count; i++) {
      targets[i] = used.targets[members[i]]
      if (masks[i] !== 0 && targets[i] === UNRESOLVED) unresolved.push(i)
    }
    if (unresolved.length === 0) return
    for (let from = 0; from < unresolved.length; from += SERIES_PER_TURN) {
      const known = unresolved.slice(from, from + SERIES_PER_TURN).flatMap((i) => {
        const labels = raw.labelsOf(plan.memberRefs[members[i]])
        if (labels) return [{ i, labels }]
        // Nobody knows its labels any more.
        masks[i] = 0
        return []
      })
      const refs = await target.resolveLabels(known.map(({ labels }) => labels))
      for (const [k, { i }] of known.entries()) {
        targets[i] = refs[k]
        used.targets[members[i]] = refs[k]
      }
      await pause()
    }
  }
}

/** Buffers of a slice. */
class Slice {
  readonly scan = new SliceScan(SLICE_MEMBERS)
  readonly refs = new Uint32Array(SLICE_MEMBERS)
  readonly targets = new Uint32Array(SLICE_MEMBERS)
  readonly masks = new Uint8Array(SLICE_MEMBERS)
  /** In the order of `COLUMNS`, so that masks are those of `memberColumns`. */
  readonly columns: WindowBatch['columns']
  readonly halves: readonly Uint32Array[]

  constructor() {
    const { lasts, mins, maxs, sums, counts, increases } = this.scan
    this.columns = [lasts, mins, maxs, sums, counts, increases].map((values, i) => ({
      column: MEMBER_COLUMNS[i],
      values,
    }))
    this.halves = this.columns.map(({ values }) => halvesOf(values))
  }
}

function contributedBy(scan: SliceScan, each: EachFunction, i: number, resolutionMs: number): number {
  switch (each) {
    case 'min':
      return scan.mins[i]
    case 'max':
      return scan.maxs[i]
    case 'sum':
      return scan.sums[i]
    case 'avg':
      return scan.sums[i] / scan.counts[i]
    case 'count':
      return scan.counts[i]
    case 'increase':
      return scan.increases[i]
    case 'rate':
      return (scan.increases[i] * 1000) / resolutionMs
    case 'last':
    case 'all':
      return scan.lasts[i]
  }
}
