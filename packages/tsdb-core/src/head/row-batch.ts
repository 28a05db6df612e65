/** Full rows that are encoded by one call of the codec. One set of buffers for the process, empty between the calls. */
import { encodeValuesBatch, rowValuesSizeMax } from './row-codec.js'
import type { RowSlab } from './row-slab.js'

export class RowBatch {
  readonly rowsMax: number
  count = 0
  /** Row i is encoded in `bytes[i > 0 ? ends[i - 1] : 0, ends[i])`. */
  readonly bytes: Uint8Array
  readonly ends: Uint32Array
  readonly slots: Uint32Array
  /** The time column of each row. */
  readonly columns: Uint32Array
  readonly #rowSamples: number
  readonly #values: Float64Array
  readonly #ranges: Uint32Array

  constructor(rowsMax: number, rowSamples: number) {
    this.rowsMax = rowsMax
    this.#rowSamples = rowSamples
    this.#values = new Float64Array(rowsMax * rowSamples)
    this.#ranges = Uint32Array.from({ length: rowsMax * 2 }, (_, i) => ((i + 1) >>> 1) * rowSamples)
    this.bytes = new Uint8Array(rowsMax * rowValuesSizeMax(rowSamples))
    this.ends = new Uint32Array(rowsMax)
    this.slots = new Uint32Array(rowsMax)
    this.columns = new Uint32Array(rowsMax)
  }

  /** Copies the slot's row, which is full. */
  add(slot: number, column: number, rows: RowSlab): void {
    rows.copyValues(slot, 0, this.#rowSamples, this.#values, this.count * this.#rowSamples)
    this.columns[this.count] = column
    this.slots[this.count++] = slot
  }

  encode(): void {
    if (this.count > 0)
      encodeValuesBatch(this.#values, this.#ranges.subarray(0, this.count * 2), this.bytes, 0, this.ends)
  }
}

/** Whether any of `[from, to)` is not 0. */
export function hasAny(column: Float64Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (column[i] !== 0) return true
  return false
}
