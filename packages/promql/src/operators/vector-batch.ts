/**
 * Several series of an instant vector over all steps of a grid, as columns.
 *
 *     row i, step s   at = i·steps + s
 *                     presence[at]    ABSENT, FLOAT or HISTOGRAM: 0 and NaN are values and cannot say absent
 *                     values[at]      where FLOAT
 *                     histograms[at]  where HISTOGRAM
 *
 * A row may be absent at every step. Whoever is handed a batch may change it; whoever produced it may use its memory
 * again once the next batch is asked for.
 */
import type { Histogram } from '@varve/tsdb-core/model'

export const ABSENT = 0
export const FLOAT = 1
export const HISTOGRAM = 2

export class VectorBatch {
  readonly steps: number
  seriesCount = 0
  /** Ids of the query's `LabelTable`. */
  labelSets: Uint32Array
  /** 1 where the metric name (with type and unit) goes when the query ends. */
  dropName: Uint8Array
  values: Float64Array
  presence: Uint8Array
  histograms: (Histogram | undefined)[] | undefined

  constructor(steps: number, seriesCapacity: number) {
    this.steps = steps
    this.labelSets = new Uint32Array(seriesCapacity)
    this.dropName = new Uint8Array(seriesCapacity)
    this.values = new Float64Array(seriesCapacity * steps)
    this.presence = new Uint8Array(seriesCapacity * steps)
  }

  get seriesCapacity(): number {
    return this.labelSets.length
  }

  /** Forgets all rows and keeps the memory. */
  clear(): void {
    this.presence.fill(ABSENT, 0, this.seriesCount * this.steps)
    this.histograms = undefined
    this.seriesCount = 0
  }

  /** Makes room for rows to come. Rows beyond `seriesCount` are absent. */
  reserve(seriesCapacity: number): void {
    if (seriesCapacity <= this.seriesCapacity) return
    const capacity = Math.max(seriesCapacity, this.seriesCapacity * 2, 8)
    this.labelSets = copied(new Uint32Array(capacity), this.labelSets)
    this.dropName = copied(new Uint8Array(capacity), this.dropName)
    this.values = copied(new Float64Array(capacity * this.steps), this.values)
    this.presence = copied(new Uint8Array(capacity * this.steps), this.presence)
  }

  /** Appends an absent row and returns its index. */
  addRow(labelSet: number, dropName: number): number {
    if (this.seriesCount === this.seriesCapacity) this.reserve(this.seriesCount + 1)
    const row = this.seriesCount++
    this.labelSets[row] = labelSet
    this.dropName[row] = dropName
    return row
  }

  setFloat(row: number, step: number, value: number): void {
    const at = row * this.steps + step
    this.values[at] = value
    this.presence[at] = FLOAT
  }

  setHistogram(row: number, step: number, histogram: Histogram): void {
    const at = row * this.steps + step
    this.presence[at] = HISTOGRAM
    ;(this.histograms ??= [])[at] = histogram
  }

  /** Copies one step of a row of another batch. */
  copyStep(row: number, step: number, source: VectorBatch, at: number): void {
    if (source.presence[at] === FLOAT) this.setFloat(row, step, source.values[at])
    else if (source.presence[at] === HISTOGRAM) this.setHistogram(row, step, source.histograms![at]!)
  }

  /** Appends a copy of another batch's row, which has the same steps. */
  addCopy(source: VectorBatch, sourceRow: number): number {
    const row = this.addRow(source.labelSets[sourceRow], source.dropName[sourceRow])
    const from = sourceRow * this.steps
    const to = row * this.steps
    this.values.set(source.values.subarray(from, from + this.steps), to)
    this.presence.set(source.presence.subarray(from, from + this.steps), to)
    if (source.histograms !== undefined) {
      for (let s = 0; s < this.steps; s++) {
        if (source.presence[from + s] === HISTOGRAM) (this.histograms ??= [])[to + s] = source.histograms[from + s]
      }
    }
    return row
  }

  /** Appends copies of another batch's rows that have samples. */
  addRowsOf(source: VectorBatch): void {
    this.reserve(this.seriesCount + source.seriesCount)
    for (let from = 0; from < source.seriesCount; ) {
      if (!source.hasSamples(from)) {
        from++
        continue
      }
      // Mostly all rows are one run.
      let to = from + 1
      while (to < source.seriesCount && source.hasSamples(to)) to++
      this.#addRun(source, from, to)
      from = to
    }
  }

  #addRun(source: VectorBatch, from: number, to: number): void {
    const { steps } = this
    const row = this.seriesCount
    this.seriesCount += to - from
    this.labelSets.set(source.labelSets.subarray(from, to), row)
    this.dropName.set(source.dropName.subarray(from, to), row)
    this.values.set(source.values.subarray(from * steps, to * steps), row * steps)
    this.presence.set(source.presence.subarray(from * steps, to * steps), row * steps)
    if (source.histograms === undefined) return
    for (let at = from * steps, target = row * steps; at < to * steps; at++, target++) {
      if (source.presence[at] === HISTOGRAM) (this.histograms ??= [])[target] = source.histograms[at]
    }
  }

  hasSamples(row: number): boolean {
    const presence = this.presence
    for (let at = row * this.steps, end = at + this.steps; at < end; at++) if (presence[at] !== ABSENT) return true
    return false
  }

  /** Drops every histogram, for functions that act on floats only. */
  removeHistograms(): void {
    if (this.histograms === undefined) return
    const presence = this.presence
    for (let at = 0, end = this.seriesCount * this.steps; at < end; at++) {
      if (presence[at] === HISTOGRAM) presence[at] = ABSENT
    }
    this.histograms = undefined
  }
}

function copied<T extends Uint32Array | Uint8Array | Float64Array>(target: T, source: T): T {
  target.set(source as never)
  return target
}
