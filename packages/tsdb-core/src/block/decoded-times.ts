/**
 * The time columns of sealed blocks that were decoded last.
 *
 * All series of a scrape target share one, and the panels of a dashboard ask for the same targets: of a select of some hundred
 * series a fifth was the decoding of these columns. One piece of memory, each column in a place of its own.
 */

/** A fleet of so many targets finds all its columns again. */
const PLACES = 1024
/** Longer columns are decoded each time: two hours at 15 s have 480 timestamps. Together 4 MiB. */
const COUNT_MAX = 512

export class DecodedTimes {
  /** Made when the first column comes. */
  #memory: Float64Array = new Float64Array(0)
  readonly #owners = new Float64Array(PLACES)
  readonly #columns = new Uint32Array(PLACES)
  readonly #views: Float64Array[] = []
  #nextOwner = 1

  /** A number for one who has columns. */
  newOwner(): number {
    return this.#nextOwner++
  }

  /** Copies the column to `out` and returns how many timestamps it has; 0 when it is not here. */
  read(owner: number, column: number, out: Float64Array, outAt: number): number {
    const place = placeOf(owner, column)
    if (this.#owners[place] !== owner || this.#columns[place] !== column) return 0
    const times = this.#views[place]
    out.set(times, outAt)
    return times.length
  }

  /** Keeps a copy of `timesMs[from, from + count)`. */
  keep(owner: number, column: number, timesMs: Float64Array, from: number, count: number): void {
    if (count === 0 || count > COUNT_MAX) return
    if (this.#memory.length === 0) this.#memory = new Float64Array(PLACES * COUNT_MAX)
    const place = placeOf(owner, column)
    const start = place * COUNT_MAX
    const times = this.#memory.subarray(start, start + count)
    times.set(timesMs.subarray(from, from + count))
    this.#views[place] = times
    this.#owners[place] = owner
    this.#columns[place] = column
  }
}

/** Columns in a row do not meet. */
function placeOf(owner: number, column: number): number {
  return (column + owner * 389) % PLACES
}

/** Of all blocks of this process. */
export const decodedTimes = new DecodedTimes()
