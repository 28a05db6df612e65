/**
 * Series put together from several namespaces: for each, the runs of samples that different slices contributed.
 *
 * Batches are kept as they came; only the symbols of their labels are put into one table.
 */
import type { Histogram } from '@varve/tsdb-core/model'
import type { HistogramColumn, SelectResult, SeriesBatch } from '@varve/tsdb-core/query'

const SERIES_PER_BATCH = 1000

/** A run of samples of one series; columns are whole, the run is `[from, to)` of them. */
export interface SamplePart {
  readonly timestampsMs: Float64Array
  readonly values: Float64Array
  /** Null: one each. */
  readonly counts: Float64Array | null
  /** Beside `values`, where a native histogram stands. Null: there is none. */
  readonly histograms?: readonly (Histogram | undefined)[] | null
  /** Parts with the same one of these have the same timestamps; absent: the part's are its own. */
  readonly timesId?: number
}

interface Entry {
  /** Name id, value id, … in the common table. */
  readonly pairs: readonly number[]
  readonly parts: SamplePart[]
  /** The slice that contributed last: a series comes from one namespace a slice. */
  slice: number
}

/** Texts of labels, each once, and numbers of timestamp columns, for all parts of an answer. */
export class PartSymbols {
  readonly texts: string[] = []
  readonly #ids = new Map<string, number>()
  #nextTimesId = 0

  idOf(text: string): number {
    let id = this.#ids.get(text)
    if (id === undefined) {
      id = this.texts.length
      this.texts.push(text)
      this.#ids.set(text, id)
    }
    return id
  }

  newTimesIds(count: number): number {
    const first = this.#nextTimesId
    this.#nextTimesId += count
    return first
  }
}

export class SeriesParts {
  readonly #symbols: PartSymbols
  readonly #entries = new Map<string, Entry>()
  #slice = -1

  constructor(symbols = new PartSymbols()) {
    this.#symbols = symbols
  }

  get seriesCount(): number {
    return this.#entries.size
  }

  /** What follows belongs to the next, newer slice. */
  beginSlice(): void {
    this.#slice++
  }

  /** A reader of a result's labels: the key of series i of a batch, by the common table. */
  keys(result: SelectResult): (batch: SeriesBatch, series: number) => string {
    const ids: number[] = []
    return (batch, series) => {
      const pairs: number[] = []
      for (let i = batch.labelOffsets[series] * 2; i < batch.labelOffsets[series + 1] * 2; i++) {
        const symbol = batch.labelPairs[i]
        pairs.push((ids[symbol] ??= this.idOf(result.symbols[symbol])))
      }
      return pairs.join()
    }
  }

  idOf(text: string): number {
    return this.#symbols.idOf(text)
  }

  /** The texts of a key: name, value, name, value … */
  textsOf(key: string): string[] {
    return key === '' ? [] : key.split(',').map((id) => this.#symbols.texts[Number(id)])
  }

  /** The first of so many new ids for `SamplePart.timesId`. */
  newTimesIds(count: number): number {
    return this.#symbols.newTimesIds(count)
  }

  /** Whether the series has samples of the present slice already. */
  has(key: string): boolean {
    return this.#entries.get(key)?.slice === this.#slice
  }

  add(key: string, part: SamplePart): void {
    const entry = this.#entries.get(key)
    if (entry) {
      entry.parts.push(part)
      entry.slice = this.#slice
    } else
      this.#entries.set(key, { pairs: key === '' ? [] : key.split(',').map(Number), parts: [part], slice: this.#slice })
  }

  /** Gives what it has of a series to `to`, behind what is there already. */
  moveSeries(key: string, to: SeriesParts): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    for (const part of entry.parts) to.add(key, part)
  }

  moveAll(to: SeriesParts): void {
    for (const key of [...this.#entries.keys()]) this.moveSeries(key, to)
  }

  /** The last value of a series before the present slice, for a running sum that goes on; null when it has none. */
  lastValueOf(key: string): number | null {
    const { parts } = this.#entries.get(key) ?? { parts: [] }
    for (let part = parts.length - 1; part >= 0; part--) {
      const { values, histograms } = parts[part]
      if (histograms) continue
      // Staleness markers are passed over, and running sums are never NaN.
      for (let at = values.length - 1; at >= 0; at--) if (!Number.isNaN(values[at])) return values[at]
    }
    return null
  }

  /** The same of native histograms; null when the series has none. */
  lastHistogramOf(key: string): Histogram | null {
    const { parts } = this.#entries.get(key) ?? { parts: [] }
    for (let part = parts.length - 1; part >= 0; part--) {
      const last = parts[part].histograms?.findLast((histogram) => histogram && !histogram.stale)
      if (last) return last
    }
    return null
  }

  *batches(withCounts: boolean): Generator<SeriesBatch> {
    let entries: Entry[] = []
    for (const entry of this.#entries.values()) {
      entries.push(entry)
      if (entries.length < SERIES_PER_BATCH) continue
      yield batchOf(entries, withCounts)
      entries = []
    }
    if (entries.length > 0) yield batchOf(entries, withCounts)
  }
}

function batchOf(entries: readonly Entry[], withCounts: boolean): SeriesBatch {
  const seriesCount = entries.length
  const labelOffsets = new Uint32Array(seriesCount + 1)
  const sampleOffsets = new Uint32Array(seriesCount + 1)
  entries.forEach(({ pairs, parts }, series) => {
    labelOffsets[series + 1] = labelOffsets[series] + pairs.length / 2
    let length = 0
    for (const part of parts) length += part.values.length
    sampleOffsets[series + 1] = sampleOffsets[series] + length
  })
  const sampleCount = sampleOffsets[seriesCount]
  const labelPairs = new Uint32Array(labelOffsets[seriesCount] * 2)
  const { timestampColumns, timestampOffsets, timestampsMs } = timeColumnsOf(entries)
  const values = new Float64Array(sampleCount)
  const sampleIndexes: number[] = []
  const histograms: Histogram[] = []
  const counts = withCounts ? new Float64Array(sampleCount).fill(1) : null
  entries.forEach(({ pairs, parts }, series) => {
    labelPairs.set(pairs, labelOffsets[series] * 2)
    let at = sampleOffsets[series]
    for (const part of parts) {
      values.set(part.values, at)
      if (counts && part.counts) counts.set(part.counts, at)
      part.histograms?.forEach((histogram, i) => {
        if (!histogram) return
        sampleIndexes.push(at + i)
        histograms.push(histogram)
      })
      at += part.values.length
    }
  })
  return {
    seriesCount,
    labelOffsets,
    labelPairs,
    sampleOffsets,
    values,
    timestampColumns,
    timestampOffsets,
    timestampsMs,
    ...(counts && { counts }),
    ...(histograms.length > 0 && { histograms: columnOf(sampleIndexes, histograms) }),
  }
}

/** Series that were scraped together have one timestamp column, as in the batches that they come from. */
function timeColumnsOf(entries: readonly Entry[]) {
  const timestampColumns = new Uint32Array(entries.length)
  const columns: (readonly SamplePart[])[] = []
  const known = new Map<string, number>()
  let length = 0
  const offsets = [0]
  entries.forEach(({ parts }, series) => {
    const isShared = parts.every(({ timesId }) => timesId !== undefined)
    const key = isShared ? parts.map(({ timesId }) => timesId).join() : ''
    let column = isShared ? known.get(key) : undefined
    if (column === undefined) {
      column = columns.push(parts) - 1
      if (isShared) known.set(key, column)
      for (const part of parts) length += part.timestampsMs.length
      offsets.push(length)
    }
    timestampColumns[series] = column
  })
  const timestampsMs = new Float64Array(length)
  columns.forEach((parts, column) => {
    let at = offsets[column]
    for (const part of parts) {
      timestampsMs.set(part.timestampsMs, at)
      at += part.timestampsMs.length
    }
  })
  return { timestampColumns, timestampOffsets: Uint32Array.from(offsets), timestampsMs }
}

function columnOf(sampleIndexes: readonly number[], histograms: readonly Histogram[]): HistogramColumn {
  return { sampleIndexes: Uint32Array.from(sampleIndexes), histograms }
}
