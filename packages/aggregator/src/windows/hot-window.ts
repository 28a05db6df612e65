/**
 * The window of every minute: one window, in order, of members whose last samples are remembered. Members are taken in slices:
 * their new samples are read by reference, scanned into columns, folded into groups, and the columns are stored as they are.
 *
 * What does not fit (new members, histograms, samples that are not in the head alone) is left to the evaluation by `select`.
 */
import { type Namespace, type RecentSamples, RUN_STRIDE, type WindowBatch } from '@varve/tsdb-core'
import { halvesOf, writeStaleAt } from '@varve/tsdb-core/model'
import { AggregatorError } from '../errors.js'
import { extended } from './columns.js'
import type { GroupCells } from './group-cells.js'
import type { MemberStates } from './member-states.js'
import { COLUMNS, type WindowPlan } from './plan.js'
import { SliceFold } from './slice-fold.js'
import { type ScannedWindow, SliceScan } from './slice-scan.js'

const SLICE_MEMBERS = 1024
/** The same while outputs are new: to make them known and to make room for them costs ten times as much. */
const NEW_SLICE_MEMBERS = 256
/** Slices whose records are written and synced together. As many may be on their way to the disk beside. */
const SLICES_PER_WRITE = 24
/** Columns that members keep, by the bits of `MEMBER_MASK`. */
const MEMBER_COLUMNS = COLUMNS.slice(0, 6)
const UNRESOLVED = 0
/** So many labels are encoded and looked up before others get their turn. */
const SERIES_PER_TURN = 128

/** Members that a rule concerns, in order, with the references of their output series. Lives as long as the plan. */
export class UsedMembers {
  count = 0
  /** By place: the member, and the reference of its series. */
  members: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  refs: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  /** By place: reference of the output's column `value`, 0 when it is to be resolved. */
  targets: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  /** Buffers of a slice, when they are free. */
  slice: Slice | null = null
  #seen = 0

  /** Whether the outputs from this place on are not known yet: members come in the order in which their outputs do. */
  isNew(place: number): boolean {
    return this.targets[place] === UNRESOLVED
  }

  /** Takes in members that are new in the plan. */
  update(plan: WindowPlan): void {
    for (; this.#seen < plan.memberCount; this.#seen++) {
      if (!plan.isUsed(this.#seen)) continue
      if (this.count === this.members.length) this.#grow()
      this.members[this.count] = this.#seen
      this.refs[this.count++] = plan.memberRefs[this.#seen]
    }
  }

  #grow(): void {
    const length = this.count * 2
    this.members = extended(this.members, length)
    this.refs = extended(this.refs, length)
    this.targets = extended(this.targets, length)
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
  /** Gives others their turn when it is time. */
  readonly pause: () => Promise<void>
}

export class HotWindow {
  readonly #options: HotWindowOptions
  /** Of slices that may not be durable yet, oldest first. */
  readonly #durable: Promise<void>[] = []
  /** Members that were left to `select`. */
  readonly left: number[] = []
  /** Places of the used members that were scanned. */
  #scannedCount = 0
  rowCount = 0
  readSampleCount = 0

  constructor(options: HotWindowOptions) {
    this.#options = options
  }

  /** False: the window's samples cannot be read this way; from some member on, or at all. */
  async run(): Promise<boolean> {
    const { raw, plan, used, states, cells, endMs, resolutionMs, lookbackMs, pause } = this.#options
    used.update(plan)
    states.reserve(plan.memberCount)
    const { members, refs, targets } = used
    const slice = used.slice ?? new Slice()
    const fold = new SliceFold(plan, cells, resolutionMs)
    used.slice = null
    for (let from = 0, end = 0; from < used.count; from = end) {
      end = Math.min(used.count, from + (used.isNew(from) ? NEW_SLICE_MEMBERS : SLICE_MEMBERS))
      const samples = await raw.readRecent(refs.subarray(from, end), endMs - resolutionMs + 1, endMs + 1)
      if (samples === null) return false
      const { scan } = slice
      scan.begin(members.subarray(from, end))
      this.#leaveUnread(scan, samples)
      const window: ScannedWindow = { endMs, resolutionMs, lookbackMs, states, memberColumns: plan.memberColumns }
      scan.scan(samples, window)
      this.readSampleCount += scan.tallies.sampleCount
      if (scan.tallies.unknownCount > 0) this.#leaveUnknown(scan, samples)
      fold.fold(scan, samples)
      if (scan.tallies.endedCount > 0) writeEnds(slice)
      if (scan.tallies.writtenCount > 0) {
        const sliceTargets = targets.subarray(from, end)
        await this.#resolve(scan, sliceTargets)
        await this.#store(slice, sliceTargets)
      }
      this.#scannedCount = end
      await pause()
    }
    used.slice = slice
    return true
  }

  /** Tells the members of which nothing is to be read any more: all that were scanned, but for those that were left. */
  forEachScanned(see: (member: number) => void): void {
    const { used, states } = this.#options
    const left = new Set(this.left)
    for (let place = 0; place < this.#scannedCount; place++) {
      const member = used.members[place]
      if (states.knows(member) && !left.has(member)) see(member)
    }
  }

  /** Resolves once all that was stored is durable. */
  async settle(): Promise<void> {
    this.#options.target.writeDeferred()
    const results = await Promise.allSettled(this.#durable)
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** Members with histograms, and those whose samples were not read, are left and passed over by the scan. */
  #leaveUnread({ members, skips, count }: SliceScan, { unread }: RecentSamples): void {
    const { plan } = this.#options
    for (const i of unread) {
      skips[i] = 1
      this.left.push(members[i])
    }
    if (!plan.hasAnyHistograms) return
    for (let i = 0; i < count; i++) {
      if (skips[i] === 1 || !plan.hasHistograms(members[i])) continue
      skips[i] = 1
      this.left.push(members[i])
    }
  }

  /** Members with samples, but without a state. */
  #leaveUnknown({ members, skips }: SliceScan, { runs, runCount }: RecentSamples): void {
    const { states } = this.#options
    for (let run = 0, i = 0; run < runCount; run++) {
      const end = runs[run * RUN_STRIDE]
      for (; i < end; i++) {
        if (runs[run * RUN_STRIDE + 1] > 0 && skips[i] === 0 && !states.knows(members[i])) this.left.push(members[i])
      }
    }
  }

  /** Stores a slice's columns, which are to be used again then. */
  async #store({ scan, columns }: Slice, targets: Uint32Array): Promise<void> {
    const { target, endMs } = this.#options
    const { count, masks } = scan
    const batch: WindowBatch = { timestampMs: endMs, count, seriesRefs: targets, masks, columns }
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
        if (again.has(i)) targets[i] = UNRESOLVED
        else masks[i] = 0
      }
      await this.#resolve(scan, targets)
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

  /** Makes known the series of outputs that are written and have no reference yet. */
  async #resolve({ members, count, masks }: SliceScan, targets: Uint32Array): Promise<void> {
    const { raw, target, plan, pause } = this.#options
    const unresolved: number[] = []
    for (let i = 0; i < count; i++) if (targets[i] === UNRESOLVED && masks[i] !== 0) unresolved.push(i)
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
      for (const [k, { i }] of known.entries()) targets[i] = refs[k]
      await pause()
    }
  }
}

/** Series that end get a staleness marker in each of their columns. */
function writeEnds({ scan: { counts, masks, count }, halves }: Slice): void {
  const ended: number[] = []
  for (let i = 0; i < count; i++) if (counts[i] === 0 && masks[i] !== 0) ended.push(i)
  for (const column of halves) for (const i of ended) writeStaleAt(column, i)
}

/** Buffers of a slice. */
class Slice {
  readonly scan = new SliceScan(SLICE_MEMBERS)
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
