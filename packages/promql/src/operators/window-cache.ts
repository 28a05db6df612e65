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
import type { SeriesBatch } from '@varve/tsdb-core/query'
import { FRAME_COLUMNS, fillGrowthFrame, growthFrameIn } from '../functions/growth-frame.js'
import { fillWindows, type WindowShape, type Windows } from './windows.js'

/** Slots are made as they are needed, as long as they have at most so many steps together. */
const CACHED_STEPS_MAX = 1 << 17
const SLOTS_MIN = 8
const SLOTS_MAX = 256

/** Which frames the windows need besides: those of rate (per second), of increase and delta, or none. */
export type FrameKind = 'none' | 'growth' | 'growthPerSecond'

export class WindowCache {
  readonly slotsMax: number
  readonly steps: number
  first = new Int32Array(0)
  end = new Int32Array(0)
  presence = new Uint8Array(0)
  seconds = new Float64Array(0)
  readonly #frames: FrameKind
  #shape: WindowShape
  #windows: Windows[] = []
  /** The timestamps behind each slot, `#lengths` of them. */
  readonly #times: Float64Array[] = []
  readonly #lengths: number[] = []
  readonly #slotOfFirst = new Map<number, number>()
  #used = 0
  #nextVictim = 0
  /** Slots that stay until `unpin`: `#pinnedAt[slot]` is then the round. */
  readonly #pinnedAt: number[] = []
  #pinRound = 1
  #pinnedCount = 0
  /** Column → slot, as far as they were asked for: of the batch at hand, and those before it with the same timestamps. */
  #batch: SeriesBatch | undefined
  #slotOfColumn: (number | undefined)[] = []

  constructor(shape: WindowShape, frames: FrameKind) {
    this.#shape = shape
    this.#frames = frames
    this.steps = shape.grid.count
    this.slotsMax = Math.max(SLOTS_MIN, Math.min(SLOTS_MAX, Math.floor(CACHED_STEPS_MAX / this.steps)))
  }

  /** Begins a batch. Another shape than before empties the cache. */
  begin(batch: SeriesBatch, shape: WindowShape): void {
    if (shape !== this.#shape) {
      this.#shape = shape
      this.#slotOfFirst.clear()
      this.#windows = []
      this.first = new Int32Array(0)
      this.end = new Int32Array(0)
      this.presence = new Uint8Array(0)
      this.seconds = new Float64Array(0)
      this.#used = 0
      this.#nextVictim = 0
      this.#batch = undefined
    }
    const table = batch.timestampTable
    if (table === undefined || table !== this.#batch?.timestampTable) this.#slotOfColumn = []
    this.#batch = batch
    this.unpin()
  }

  /** The windows of a slot, good until the slot is another column's. */
  windows(slot: number): Windows {
    return this.#windows[slot]
  }

  /** The slot of a column of the batch at hand, good until another column is asked for. */
  slotOf(column: number): number {
    const known = this.#slotOfColumn[column]
    if (known !== undefined) return known
    const { timestampOffsets, timestampsMs } = this.#batch as SeriesBatch
    const from = timestampOffsets[column]
    const to = timestampOffsets[column + 1]
    const slot = this.#find(timestampsMs, from, to) ?? this.#fill(timestampsMs, from, to)
    this.#slotOfColumn[column] = slot
    return slot
  }

  /** The same, good until `unpin`; -1 when all slots are taken that way. */
  pinnedSlotOf(column: number): number {
    if (this.#pinnedCount === this.slotsMax && !this.#isPinned(this.#slotOfColumn[column])) return -1
    const slot = this.slotOf(column)
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

  #find(timesMs: Float64Array, from: number, to: number): number | undefined {
    const slot = this.#slotOfFirst.get(timesMs[from])
    if (slot === undefined || this.#lengths[slot] !== to - from) return undefined
    const held = this.#times[slot]
    for (let i = from; i < to; i++) if (held[i - from] !== timesMs[i]) return undefined
    return slot
  }

  #fill(timesMs: Float64Array, from: number, to: number): number {
    const slot = this.#freeSlot()
    const length = to - from
    if (this.#times[slot] === undefined || this.#times[slot].length < length)
      this.#times[slot] = new Float64Array(length)
    const held = this.#times[slot]
    for (let i = 0; i < length; i++) held[i] = timesMs[from + i]
    this.#lengths[slot] = length
    this.#slotOfFirst.set(timesMs[from], slot)
    const windows = this.#windows[slot]
    fillWindows(this.#shape, timesMs, from, to, windows.first, windows.end)
    if (windows.frame !== undefined) {
      fillGrowthFrame(windows.frame, windows, timesMs, from, this.#frames === 'growthPerSecond')
    }
    return slot
  }

  #freeSlot(): number {
    if (this.#used < this.slotsMax) {
      if (this.#used === this.#windows.length) this.#grow()
      return this.#used++
    }
    while (this.#isPinned(this.#nextVictim)) this.#nextVictim = (this.#nextVictim + 1) % this.slotsMax
    const slot = this.#nextVictim
    this.#nextVictim = (slot + 1) % this.slotsMax
    const firstMs = this.#times[slot][0]
    if (this.#slotOfFirst.get(firstMs) === slot) this.#slotOfFirst.delete(firstMs)
    this.#slotOfColumn.forEach((held, column) => {
      if (held === slot) this.#slotOfColumn[column] = undefined
    })
    return slot
  }

  #grow(): void {
    const steps = this.steps
    const slots = Math.min(this.slotsMax, Math.max(2, this.#used * 2))
    this.first = grown(new Int32Array(slots * steps), this.first)
    this.end = grown(new Int32Array(slots * steps), this.end)
    const framed = this.#frames !== 'none'
    if (framed) {
      this.presence = grown(new Uint8Array(slots * steps), this.presence)
      this.seconds = grown(new Float64Array(slots * steps * FRAME_COLUMNS), this.seconds)
    }
    const old = this.#windows
    const { grid, endsMs, rangeMs, rangesMs } = this.#shape
    this.#windows = Array.from({ length: slots }, (_, slot) => {
      const frame = framed ? growthFrameIn(this.presence, this.seconds, slot, steps) : undefined
      const before = old[slot]?.frame
      if (frame !== undefined && before !== undefined) {
        frame.seconds = before.seconds
        frame.reachMin = before.reachMin
      }
      const first = this.first.subarray(slot * steps, (slot + 1) * steps)
      const end = this.end.subarray(slot * steps, (slot + 1) * steps)
      return { grid, endsMs, rangeMs, rangesMs, first, end, frame }
    })
  }
}

function grown<T extends Int32Array | Uint8Array | Float64Array>(larger: T, held: T): T {
  larger.set(held as never)
  return larger
}
