/**
 * Collects the rows of windows and appends them to the aggregated namespace, some two thousand at a time.
 *
 * A row names its series by a slot: output series are resolved once, when first written, and again when the namespace has
 * evicted them meanwhile.
 */
import type { Namespace, Watermark } from '@varve/tsdb-core'
import {
  type AggregateColumn,
  type Histogram,
  halvesOf,
  type Labels,
  writeAbsentAt,
  writeStaleAt,
} from '@varve/tsdb-core/model'
import type { HistogramColumn } from '@varve/tsdb-core/query'
import { AggregatorError } from '../errors.js'
import { extended } from './columns.js'

const ROWS_PER_APPEND = 2048
/** So many labels are encoded and looked up before others get their turn. */
const SERIES_PER_TURN = 128
const ROWS_MIN = 1024
const UNRESOLVED = 0

/** Slots of output series with their references. Lives as long as the plan whose outputs they are. */
export class OutputSlots {
  #refs: Uint32Array<ArrayBuffer> = new Uint32Array(256)

  refOf(slot: number): number {
    return slot < this.#refs.length ? this.#refs[slot] : UNRESOLVED
  }

  set(slot: number, ref: number): void {
    if (slot >= this.#refs.length) {
      const larger = new Uint32Array(Math.max(slot + 1, this.#refs.length * 2))
      larger.set(this.#refs)
      this.#refs = larger
    }
    this.#refs[slot] = ref
  }
}

export interface OutputSeries {
  readonly labels: Labels
  /** Which of its columns a slot is; null when the slot is of another series. */
  readonly columnOf: (slot: number) => AggregateColumn | null
}

export interface RowWriterOptions {
  readonly target: Namespace
  /** Called now and then: gives others their turn when it is time. */
  readonly pause: () => Promise<void>
  /** Of member columns and of group outputs: rows name a slot of one of the two. */
  readonly slots: readonly [OutputSlots, OutputSlots]
  /** Which series a slot is; null when it is gone. */
  readonly seriesOf: (table: 0 | 1, slot: number) => OutputSeries | null
  /** Rows that are not written: what stands there stays. Null: there are none. */
  readonly isFrozen: ((table: 0 | 1, slot: number, windowEndMs: number) => boolean) | null
}

export class RowWriter {
  readonly #options: RowWriterOptions
  #tables: Uint8Array<ArrayBuffer> = new Uint8Array(ROWS_MIN)
  #slots: Uint32Array<ArrayBuffer> = new Uint32Array(ROWS_MIN)
  #timestampsMs: Float64Array<ArrayBuffer> = new Float64Array(ROWS_MIN)
  #values: Float64Array<ArrayBuffer> = new Float64Array(ROWS_MIN)
  #halves = halvesOf(this.#values)
  #refs: Uint32Array<ArrayBuffer> = new Uint32Array(ROWS_MIN)
  /** The rows that are native histograms. */
  readonly #histograms = new Map<number, Histogram>()
  #count = 0
  /** Rows appended so far, and those refused since they are older than the namespace keeps. */
  writtenCount = 0
  expiredCount = 0
  /** Rows that were passed over, see `isFrozen`. */
  frozenCount = 0

  constructor(options: RowWriterOptions) {
    this.#options = options
  }

  /** Whether `flush` is due; rows that are added before it is called take memory. */
  get isFull(): boolean {
    return this.#count >= ROWS_PER_APPEND
  }

  add(table: 0 | 1, slot: number, windowEndMs: number, value: number): void {
    this.#add(table, slot, windowEndMs, value)
  }

  /** False when the row is frozen. */
  #add(table: 0 | 1, slot: number, windowEndMs: number, value: number): boolean {
    if (this.#options.isFrozen?.(table, slot, windowEndMs)) {
      this.frozenCount++
      return false
    }
    if (this.#count === this.#values.length) this.#grow()
    const row = this.#count++
    this.#tables[row] = table
    this.#slots[row] = slot
    this.#timestampsMs[row] = windowEndMs
    this.#values[row] = value
    return true
  }

  addHistogram(table: 0 | 1, slot: number, windowEndMs: number, histogram: Histogram): void {
    if (!this.#add(table, slot, windowEndMs, 0)) return
    this.#histograms.set(this.#count - 1, histogram)
  }

  addMarker(table: 0 | 1, slot: number, windowEndMs: number): void {
    if (!this.#add(table, slot, windowEndMs, 0)) return
    writeStaleAt(this.#halves, this.#count - 1)
  }

  /** The window has no output any more: what stands there is hidden. */
  addAbsent(table: 0 | 1, slot: number, windowEndMs: number): void {
    if (!this.#add(table, slot, windowEndMs, 0)) return
    writeAbsentAt(this.#halves, this.#count - 1)
  }

  /** Appends what was collected; with `watermarks` in one record with the last rows. */
  async flush(watermarks?: readonly Watermark[]): Promise<void> {
    if (this.#count === 0 && watermarks === undefined) return
    await this.#resolve()
    const batch = {
      count: this.#count,
      seriesRefs: this.#refs,
      timestampsMs: this.#timestampsMs,
      values: this.#values,
      ...(this.#histograms.size > 0 && { histograms: histogramColumn(this.#histograms) }),
    }
    const { rejections } = await this.#options.target.append(batch, watermarks ? { watermarks } : {})
    const unknown: number[] = []
    for (const { sampleIndex, reason } of rejections) {
      if (reason === 'UNKNOWN_SERIES') unknown.push(sampleIndex)
      else if (reason === 'TOO_OLD') this.expiredCount++
      else
        throw new AggregatorError('UNAVAILABLE', `namespace ${this.#options.target.name} refused a window: ${reason}`)
    }
    this.writtenCount += this.#count - rejections.length
    if (unknown.length === 0) {
      this.#setCount(0)
      return
    }
    // Evicted since they were resolved: those rows once more. The watermark is repeated, with them this time.
    for (const row of unknown) this.#options.slots[this.#tables[row]].set(this.#slots[row], UNRESOLVED)
    for (const [index, row] of unknown.entries()) this.#move(row, index)
    this.#setCount(unknown.length)
    await this.flush(watermarks)
  }

  #grow(): void {
    const length = this.#values.length * 2
    this.#tables = extended(this.#tables, length)
    this.#slots = extended(this.#slots, length)
    this.#timestampsMs = extended(this.#timestampsMs, length)
    this.#values = extended(this.#values, length)
    this.#halves = halvesOf(this.#values)
    this.#refs = extended(this.#refs, length)
  }

  #move(from: number, to: number): void {
    this.#tables[to] = this.#tables[from]
    this.#slots[to] = this.#slots[from]
    this.#timestampsMs[to] = this.#timestampsMs[from]
    this.#halves[to * 2] = this.#halves[from * 2]
    this.#halves[to * 2 + 1] = this.#halves[from * 2 + 1]
    const histogram = this.#histograms.get(from)
    if (histogram) this.#histograms.set(to, histogram)
    else this.#histograms.delete(to)
  }

  #setCount(count: number): void {
    this.#count = count
    for (const row of this.#histograms.keys()) if (row >= count) this.#histograms.delete(row)
  }

  async #resolve(): Promise<void> {
    const { slots, seriesOf, target } = this.#options
    const unresolved: { table: 0 | 1; series: OutputSeries; slots: number[] }[] = []
    const gone = new Set<string>()
    for (let row = 0; row < this.#count; row++) {
      const table = this.#tables[row] as 0 | 1
      const slot = this.#slots[row]
      if (slots[table].refOf(slot) !== UNRESOLVED) continue
      // The columns of a series come one after the other: its labels are looked up once.
      const last = unresolved.at(-1)
      if (last?.table === table && last.series.columnOf(slot) !== null) {
        last.slots.push(slot)
        continue
      }
      const series = seriesOf(table, slot)
      if (series === null) gone.add(`${table}:${slot}`)
      else unresolved.push({ table, series, slots: [slot] })
    }
    for (let from = 0; from < unresolved.length; from += SERIES_PER_TURN) {
      const some = unresolved.slice(from, from + SERIES_PER_TURN)
      const refs = await target.resolveLabels(some.map(({ series }) => series.labels))
      for (const [index, { table, series, slots: own }] of some.entries()) {
        for (const slot of own) {
          const column = series.columnOf(slot)
          if (column !== null) slots[table].set(slot, target.columnRef(refs[index], column))
        }
      }
      await this.#options.pause()
    }
    if (gone.size > 0) this.#removeRows(gone)
    for (let row = 0; row < this.#count; row++) this.#refs[row] = slots[this.#tables[row]].refOf(this.#slots[row])
  }

  /** Rows of series whose labels nobody knows any more. */
  #removeRows(gone: ReadonlySet<string>): void {
    let kept = 0
    for (let row = 0; row < this.#count; row++) {
      if (!gone.has(`${this.#tables[row]}:${this.#slots[row]}`)) this.#move(row, kept++)
    }
    this.#setCount(kept)
  }
}

function histogramColumn(histograms: ReadonlyMap<number, Histogram>): HistogramColumn {
  const rows = [...histograms].sort(([a], [b]) => a - b)
  return {
    sampleIndexes: Uint32Array.from(rows, ([row]) => row),
    histograms: rows.map(([, histogram]) => histogram),
  }
}
