/**
 * A store in memory, plain enough to be trusted: the naive twin of `Database`, and the store of script tests.
 *
 * Series are kept in the order in which they were added, each with its samples sorted by time. Of two samples with the same
 * time the later one added wins.
 */
import type { Histogram } from '../model/histogram.js'
import { compareLabels, type Labels } from '../model/labels.js'
import { halvesOf, writeStaleAt } from '../model/sample.js'
import { compareUtf8 } from '../model/utf8.js'
import { type CompiledMatcher, compileMatcher } from '../query/label-matcher.js'
import type {
  LabelRequest,
  LabelResult,
  Matchers,
  Queryable,
  SelectRequest,
  SelectResult,
  SeriesResult,
} from '../query/queryable.js'
import type { SeriesBatch } from '../query/series-batch.js'

/** A number, a native histogram, or a staleness marker. */
export type MemoryValue = number | Histogram | typeof STALE

export const STALE = Symbol('staleness marker')

interface MemorySample {
  readonly timestampMs: number
  readonly value: MemoryValue
  /** 0: none. */
  readonly startMs: number
}

interface MemorySeries {
  readonly labels: Labels
  samples: MemorySample[]
  sorted: boolean
}

export interface MemoryQueryableOptions {
  /** Default 1000. Small batches test what reads them. */
  readonly seriesPerBatch?: number
}

export class MemoryQueryable implements Queryable {
  readonly #series = new Map<string, MemorySeries>()
  readonly #seriesPerBatch: number

  constructor(options: MemoryQueryableOptions = {}) {
    this.#seriesPerBatch = options.seriesPerBatch ?? 1000
  }

  append(labels: Labels, timestampMs: number, value: MemoryValue, startMs = 0): void {
    let series = this.#series.get(labels.key)
    if (series === undefined) this.#series.set(labels.key, (series = { labels, samples: [], sorted: true }))
    const last = series.samples.at(-1)
    if (last !== undefined && last.timestampMs >= timestampMs) series.sorted = false
    series.samples.push({ timestampMs, value, startMs })
  }

  clear(): void {
    this.#series.clear()
  }

  async select(request: SelectRequest): Promise<SelectResult> {
    const { matchers, startMs, endMs, signal } = request
    const symbols: string[] = []
    const symbolIds = new Map<string, number>()
    const symbolId = (text: string): number => {
      let id = symbolIds.get(text)
      if (id === undefined) {
        id = symbols.push(text) - 1
        symbolIds.set(text, id)
      }
      return id
    }
    const matching = this.#matching(matchers)
    const seriesPerBatch = this.#seriesPerBatch
    async function* batches(): AsyncGenerator<SeriesBatch> {
      for (let from = 0; from < matching.length; from += seriesPerBatch) {
        signal?.throwIfAborted()
        yield toBatch(matching.slice(from, from + seriesPerBatch), startMs, endMs, symbolId)
      }
    }
    return { symbols, batches: batches(), warnings: [], infos: [] }
  }

  async labelNames(request: LabelRequest): Promise<LabelResult> {
    const names = new Set<string>()
    for (const series of this.#inRange(request)) for (const [name] of series.labels) names.add(name)
    return limited([...names].sort(compareUtf8), request.limit)
  }

  async labelValues(name: string, request: LabelRequest): Promise<LabelResult> {
    const values = new Set<string>()
    for (const series of this.#inRange(request)) values.add(series.labels.get(name))
    values.delete('')
    return limited([...values].sort(compareUtf8), request.limit)
  }

  async series(request: LabelRequest): Promise<SeriesResult> {
    const series = this.#inRange(request).map(({ labels }) => labels)
    const { values, warnings } = limited(series.sort(compareLabels), request.limit)
    return { series: values, warnings }
  }

  #inRange({ matchers, startMs, endMs }: LabelRequest): MemorySeries[] {
    return this.#matching(matchers).filter(({ samples }) =>
      samples.some(({ timestampMs }) => timestampMs >= startMs && timestampMs < endMs),
    )
  }

  #matching(matchers: Matchers): MemorySeries[] {
    const compiled = matchers.map(compileMatcher)
    const found: MemorySeries[] = []
    for (const series of this.#series.values()) {
      if (!matches(series.labels, compiled)) continue
      if (!series.sorted) sortSamples(series)
      found.push(series)
    }
    return found
  }
}

function matches(labels: Labels, matchers: readonly CompiledMatcher[]): boolean {
  return matchers.every((matcher) => matcher.matches(labels.get(matcher.matcher.name)))
}

function sortSamples(series: MemorySeries): void {
  // The sort is stable, so of equal times the later one added comes last and is kept.
  series.samples.sort((a, b) => a.timestampMs - b.timestampMs)
  series.samples = series.samples.filter(
    (sample, i) => i + 1 === series.samples.length || series.samples[i + 1].timestampMs !== sample.timestampMs,
  )
  series.sorted = true
}

function toBatch(
  all: readonly MemorySeries[],
  startMs: number,
  endMs: number,
  symbolId: (text: string) => number,
): SeriesBatch {
  const labelOffsets = [0]
  const labelPairs: number[] = []
  const sampleOffsets = [0]
  const timestampColumns: number[] = []
  const timestampOffsets = [0]
  const timestampsMs: number[] = []
  const columnOf = new Map<string, number>()
  const kept: MemorySample[] = []
  for (const series of all) {
    const samples = series.samples.filter(({ timestampMs }) => timestampMs >= startMs && timestampMs < endMs)
    if (samples.length === 0) continue
    for (const text of series.labels.flat) labelPairs.push(symbolId(text))
    labelOffsets.push(labelPairs.length / 2)
    for (const sample of samples) kept.push(sample)
    sampleOffsets.push(kept.length)
    const times = samples.map(({ timestampMs }) => timestampMs)
    const key = times.join()
    let column = columnOf.get(key)
    if (column === undefined) {
      column = timestampOffsets.length - 1
      columnOf.set(key, column)
      for (const timeMs of times) timestampsMs.push(timeMs)
      timestampOffsets.push(timestampsMs.length)
    }
    timestampColumns.push(column)
  }
  return {
    seriesCount: timestampColumns.length,
    labelOffsets: Uint32Array.from(labelOffsets),
    labelPairs: Uint32Array.from(labelPairs),
    sampleOffsets: Uint32Array.from(sampleOffsets),
    timestampColumns: Uint32Array.from(timestampColumns),
    timestampOffsets: Uint32Array.from(timestampOffsets),
    timestampsMs: Float64Array.from(timestampsMs),
    ...sampleColumns(kept),
  }
}

function sampleColumns(
  samples: readonly MemorySample[],
): Pick<SeriesBatch, 'values' | 'startTimestampsMs' | 'histograms'> {
  const values = new Float64Array(samples.length)
  const halves = halvesOf(values)
  const histograms: Histogram[] = []
  const sampleIndexes: number[] = []
  samples.forEach(({ value }, i) => {
    if (value === STALE) writeStaleAt(halves, i)
    else if (typeof value === 'number') values[i] = value
    else {
      histograms.push(value)
      sampleIndexes.push(i)
    }
  })
  return {
    values,
    ...(samples.some(({ startMs }) => startMs !== 0) && {
      startTimestampsMs: Float64Array.from(samples, ({ startMs }) => startMs),
    }),
    ...(histograms.length > 0 && { histograms: { sampleIndexes: Uint32Array.from(sampleIndexes), histograms } }),
  }
}

function limited<T>(values: T[], limit = 0): { values: T[]; warnings: string[] } {
  if (limit === 0 || values.length <= limit) return { values, warnings: [] }
  return { values: values.slice(0, limit), warnings: ['results truncated due to limit'] }
}
