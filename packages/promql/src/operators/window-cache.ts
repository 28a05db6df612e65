/**
 * Windows of the timestamp columns of one selector, found once for a column and kept from batch to batch.
 *
 * A store cuts its answer into batches, and the series of one scrape target may stand in several of them: each then has the
 * same timestamps in a column of its own. A slot holds what was found for one column:
 *
 *     slot i   first[i·steps …], end[i·steps …], and for rate and its kin presence[i·steps …], seconds[i·4·steps …]
 *
 * so that a kernel may be handed all slots at once.
 */
import type { QueryKernels } from '@varve/native'
import type { SeriesBatch } from '@varve/tsdb-core/query'
import { fillGrowthFrame } from '../functions/growth-frame.js'
import { borrowWindows, returnWindows, WindowMemory } from './window-memory.js'
import { fillWindows, type WindowShape, type Windows } from './windows.js'

/** Slots are made as they are needed, as long as they have at most so many steps together. */
const CACHED_STEPS_MAX = 1 << 17
const SLOTS_MIN = 8
/** Enough for the targets of a large fleet and those of its series that began or ended within the range. */
const SLOTS_MAX = 1024

const NOTHING = new WindowMemory(0, 0, false)

/** Which frames the windows need besides: those of rate (per second), of increase and delta, or none. */
export type FrameKind = 'none' | 'growth' | 'growthPerSecond'

/** How many timestamp columns are worth their windows' memory. */
export function slotsMax(steps: number): number {
  return Math.max(SLOTS_MIN, Math.min(SLOTS_MAX, Math.floor(CACHED_STEPS_MAX / steps)))
}

export class WindowCache {
  readonly slotsMax: number
  readonly steps: number
  /** Replaced as slots are made. */
  memory: WindowMemory = NOTHING
  readonly #frames: FrameKind
  readonly #kernels: QueryKernels | undefined
  #shape: WindowShape
  #windows: Windows[] = []
  /** The timestamps behind each slot, where columns have no number that says what they hold. */
  readonly #times: (Float64Array | undefined)[] = []
  readonly #slotOfFirst = new Map<number, number>()
  #used = 0
  #nextVictim = 0
  /** Slots that stay until `unpin`: `#pinnedAt[slot]` is then the round. */
  readonly #pinnedAt: number[] = []
  #pinRound = 1
  #pinnedCount = 0
  /**
   * Slots as far as they were asked for, of the batch at hand and those before it with the same timestamps: that of column c
   * at 2·c, and at 2·c + 1 that of the column without its last timestamp.
   */
  #batch: SeriesBatch | undefined
  #slotOfColumn: (number | undefined)[] = []
  /** The keys of `#slotOfColumn` that a slot was given to, and maybe some that have forgotten it since. */
  readonly #keysOfSlot: number[][] = []

  /** `kernels` finds windows where the function's own kernel is there too. */
  constructor(shape: WindowShape, frames: FrameKind, kernels?: QueryKernels) {
    this.#shape = shape
    this.#frames = frames
    this.#kernels = kernels
    this.steps = shape.grid.count
    this.slotsMax = slotsMax(this.steps)
  }

  /** Begins a batch. Another shape than before empties the cache. */
  begin(batch: SeriesBatch, shape: WindowShape): void {
    if (shape !== this.#shape) {
      this.#shape = shape
      this.#slotOfFirst.clear()
      this.#windows = []
      this.#used = 0
      this.#nextVictim = 0
      this.#batch = undefined
    }
    const table = batch.timestampTable
    if (table === undefined || table !== this.#batch?.timestampTable) {
      this.#slotOfColumn = []
      for (const keys of this.#keysOfSlot) keys.length = 0
    }
    this.#batch = batch
    this.unpin()
  }

  /** The windows of a slot, good until the slot is another column's. */
  windows(slot: number): Windows {
    const known = this.#windows[slot]
    if (known !== undefined) return known
    const { grid, endsMs, rangeMs, rangesMs } = this.#shape
    const { first, end, frame } = this.memory.views(slot)
    return (this.#windows[slot] = { grid, endsMs, rangeMs, rangesMs, first, end, frame })
  }

  /** Leaves the memory to others. The cache may not be used any more. */
  release(): void {
    returnWindows(this.memory)
    this.memory = NOTHING
  }

  /**
   * The slot of a column of the batch at hand, good until another column is asked for. `ended`: of its timestamps but the last,
   * for a series that ends with a marker.
   */
  slotOf(column: number, ended = false): number {
    const key = 2 * column + (ended ? 1 : 0)
    const known = this.#slotOfColumn[key]
    if (known !== undefined) return known
    const { timestampOffsets, timestampsMs } = this.#batch as SeriesBatch
    const from = timestampOffsets[column]
    const to = timestampOffsets[column + 1] - (ended ? 1 : 0)
    // Columns of a table are known by their number.
    const { timestampTable } = this.#batch as SeriesBatch
    const slot =
      timestampTable === undefined ? this.#findOrFill(timestampsMs, from, to) : this.#fill(timestampsMs, from, to)
    this.#slotOfColumn[key] = slot
    this.#keysOfSlot[slot].push(key)
    return slot
  }

  /** The same, good until `unpin`; -1 when all slots are taken that way. */
  pinnedSlotOf(column: number, ended: boolean): number {
    const known = this.#slotOfColumn[2 * column + (ended ? 1 : 0)]
    if (this.#pinnedCount === this.slotsMax && !this.#isPinned(known)) return -1
    const slot = this.slotOf(column, ended)
    if (!this.#isPinned(slot)) {
      this.#pinnedAt[slot] = this.#pinRound
      this.#pinnedCount++
    }
    return slot
  }

  unpin(): void {
    this.#pinRound++
    this.#pinnedCount = 0
  }

  #isPinned(slot: number | undefined): boolean {
    return slot !== undefined && this.#pinnedAt[slot] === this.#pinRound
  }

  #findOrFill(timesMs: Float64Array, from: number, to: number): number {
    // Slots are found, and freed, by their first timestamp.
    if (from === to) return this.#fill(timesMs, from, to)
    const found = this.#find(timesMs, from, to)
    if (found !== undefined) return found
    const slot = this.#fill(timesMs, from, to)
    this.#times[slot] = timesMs.slice(from, to)
    this.#slotOfFirst.set(timesMs[from], slot)
    return slot
  }

  #find(timesMs: Float64Array, from: number, to: number): number | undefined {
    const slot = this.#slotOfFirst.get(timesMs[from])
    if (slot === undefined) return undefined
    const held = this.#times[slot] as Float64Array
    if (held.length !== to - from) return undefined
    for (let i = from; i < to; i++) if (held[i - from] !== timesMs[i]) return undefined
    return slot
  }

  #fill(timesMs: Float64Array, from: number, to: number): number {
    const slot = this.#freeSlot()
    const { first, end, frame } = this.memory.views(slot)
    const { endsMs, rangeMs, rangesMs } = this.#shape
    const perSecond = this.#frames === 'growthPerSecond'
    if (this.#kernels !== undefined && rangesMs === undefined) {
      const reachMin = this.#fillNatively(this.#kernels, timesMs, from, to, slot, perSecond ? rangeMs / 1000 : 1)
      if (frame !== undefined) {
        frame.seconds = perSecond ? rangeMs / 1000 : 1
        frame.reachMin = reachMin
      }
      return slot
    }
    fillWindows(this.#shape, timesMs, from, to, first, end)
    if (frame !== undefined) {
      fillGrowthFrame(frame, { endsMs, rangeMs, first, end }, timesMs, from, perSecond)
    }
    return slot
  }

  #fillNatively(
    kernels: QueryKernels,
    timesMs: Float64Array,
    from: number,
    to: number,
    slot: number,
    divisor: number,
  ): number {
    const { endsMs, rangeMs, beforeMs, afterMs } = this.#shape
    const { first, end, presence, seconds } = this.memory
    return kernels.fillWindows(
      timesMs,
      from,
      to,
      endsMs,
      rangeMs,
      beforeMs,
      afterMs,
      divisor,
      slot,
      first,
      end,
      presence,
      seconds,
    )
  }

  #freeSlot(): number {
    if (this.#used < this.slotsMax) {
      if (this.#used === this.memory.slots) this.#grow()
      this.#keysOfSlot[this.#used] = []
      return this.#used++
    }
    while (this.#isPinned(this.#nextVictim)) this.#nextVictim = (this.#nextVictim + 1) % this.slotsMax
    const slot = this.#nextVictim
    this.#nextVictim = (slot + 1) % this.slotsMax
    const firstMs = this.#times[slot]?.[0]
    if (firstMs !== undefined && this.#slotOfFirst.get(firstMs) === slot) this.#slotOfFirst.delete(firstMs)
    this.#times[slot] = undefined
    const keys = this.#keysOfSlot[slot]
    for (const key of keys) if (this.#slotOfColumn[key] === slot) this.#slotOfColumn[key] = undefined
    keys.length = 0
    return slot
  }

  #grow(): void {
    const smaller = this.memory
    const slots = Math.min(this.slotsMax, Math.max(8, smaller.slots * 2))
    this.memory = borrowWindows(this.steps, slots, this.#frames !== 'none')
    this.memory.takeOver(smaller)
    returnWindows(smaller)
    this.#windows = []
  }
}
