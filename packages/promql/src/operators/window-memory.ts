/**
 * The columns of window caches. Memory that was written before costs much less than new memory, so a query that is done
 * leaves its columns to the next one with as many steps.
 */
import { FRAME_COLUMNS, type GrowthFrame, growthFrameIn } from '../functions/growth-frame.js'

/** Columns of more bytes together are not kept. */
const KEPT_BYTES_MAX = 16 << 20

/** Columns for `slots` columns of timestamps: those of slot i are at `i · steps`, of `seconds` at `i · steps · FRAME_COLUMNS`. */
export class WindowMemory {
  readonly steps: number
  readonly slots: number
  readonly first: Int32Array
  readonly end: Int32Array
  /** Empty without frames. */
  readonly presence: Uint8Array
  readonly seconds: Float64Array
  readonly #views: SlotViews[] = []

  constructor(steps: number, slots: number, framed: boolean) {
    this.steps = steps
    this.slots = slots
    this.first = new Int32Array(slots * steps)
    this.end = new Int32Array(slots * steps)
    this.presence = new Uint8Array(framed ? slots * steps : 0)
    this.seconds = new Float64Array(framed ? slots * steps * FRAME_COLUMNS : 0)
  }

  get framed(): boolean {
    return this.seconds.length > 0
  }

  get sizeBytes(): number {
    return this.first.byteLength + this.end.byteLength + this.presence.byteLength + this.seconds.byteLength
  }

  /** The columns of one slot. */
  views(slot: number): SlotViews {
    const known = this.#views[slot]
    if (known !== undefined) return known
    const { steps } = this
    const first = this.first.subarray(slot * steps, (slot + 1) * steps)
    const end = this.end.subarray(slot * steps, (slot + 1) * steps)
    const frame = this.framed ? growthFrameIn(this.presence, this.seconds, slot, steps) : undefined
    return (this.#views[slot] = { first, end, frame })
  }

  /** Takes over what the first slots of a smaller one hold. */
  takeOver(smaller: WindowMemory): void {
    this.first.set(smaller.first)
    this.end.set(smaller.end)
    this.presence.set(smaller.presence)
    this.seconds.set(smaller.seconds)
    for (let slot = 0; slot < smaller.slots; slot++) {
      const { frame } = this.views(slot)
      const held = smaller.views(slot).frame
      if (frame === undefined || held === undefined) continue
      frame.seconds = held.seconds
      frame.reachMin = held.reachMin
      frame.presentFrom = held.presentFrom
      frame.presentTo = held.presentTo
    }
  }
}

export interface SlotViews {
  readonly first: Int32Array
  readonly end: Int32Array
  readonly frame: GrowthFrame | undefined
}

const kept: WindowMemory[] = []

/** Memory of at least so many slots, whatever it holds. */
export function borrowWindows(steps: number, slots: number, framed: boolean): WindowMemory {
  const at = kept.findIndex((one) => one.steps === steps && one.slots >= slots && one.framed === framed)
  return at < 0 ? new WindowMemory(steps, slots, framed) : kept.splice(at, 1)[0]
}

/** Gives memory back, which nobody may look at any more. The oldest is forgotten when there is too much. */
export function returnWindows(memory: WindowMemory): void {
  if (memory.slots === 0) return
  kept.push(memory)
  let sizeBytes = 0
  for (const one of kept) sizeBytes += one.sizeBytes
  while (sizeBytes > KEPT_BYTES_MAX) sizeBytes -= kept.shift()!.sizeBytes
}
