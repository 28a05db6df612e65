/**
 * Runs of samples of one series and one source, as parallel columns. Equal (source, time column) have equal timestamps.
 */
export class PieceList {
  length = 0
  sources: Uint16Array = new Uint16Array(32)
  timeColumns: Float64Array = new Float64Array(32)
  handles: Float64Array = new Float64Array(32)
  counts: Uint32Array = new Uint32Array(32)
  firstMs: Float64Array = new Float64Array(32)
  lastMs: Float64Array = new Float64Array(32)
  /** Stamped on each piece that is added. */
  source = 0

  add(timeColumn: number, handle: number, count: number, firstMs: number, lastMs: number): void {
    const at = this.length++
    if (at === this.sources.length) this.#grow()
    this.sources[at] = this.source
    this.timeColumns[at] = timeColumn
    this.handles[at] = handle
    this.counts[at] = count
    this.firstMs[at] = firstMs
    this.lastMs[at] = lastMs
  }

  swap(a: number, b: number): void {
    for (const column of [this.sources, this.timeColumns, this.handles, this.counts, this.firstMs, this.lastMs]) {
      const kept = column[a]
      column[a] = column[b]
      column[b] = kept
    }
  }

  /** Sorts `[from, to)` by first timestamp; stable, and cheap when it is sorted already. */
  sort(from: number, to: number): void {
    for (let i = from + 1; i < to; i++) {
      for (let k = i; k > from && this.firstMs[k - 1] > this.firstMs[k]; k--) this.swap(k - 1, k)
    }
  }

  #grow(): void {
    const length = this.sources.length * 2
    const grown = <T extends Uint16Array | Uint32Array | Float64Array>(from: T, to: T): T => {
      to.set(from)
      return to
    }
    this.sources = grown(this.sources, new Uint16Array(length))
    this.timeColumns = grown(this.timeColumns, new Float64Array(length))
    this.handles = grown(this.handles, new Float64Array(length))
    this.counts = grown(this.counts, new Uint32Array(length))
    this.firstMs = grown(this.firstMs, new Float64Array(length))
    this.lastMs = grown(this.lastMs, new Float64Array(length))
  }
}
