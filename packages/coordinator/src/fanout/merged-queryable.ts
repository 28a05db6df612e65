/**
 * The local store and other servers as one: answers are merged series by series, and a source that fails costs a warning,
 * never the answer.
 */
import { compareLabels, compareUtf8, type Histogram, Labels } from '@varve/tsdb-core/model'
import type {
  LabelRequest,
  LabelResult,
  Queryable,
  SelectRequest,
  SelectResult,
  SeriesBatch,
  SeriesResult,
} from '@varve/tsdb-core/query'
import { mergeReplicas, type SampleColumns } from './merge-replicas.js'
import type { RemoteSource } from './remote-source.js'

const SERIES_PER_BATCH = 1_000

interface Gathered {
  readonly labels: Labels
  readonly copies: SampleColumns[]
}

export class MergedQueryable implements Queryable {
  readonly #local: Queryable
  readonly #sources: readonly RemoteSource[]

  constructor(local: Queryable, sources: readonly RemoteSource[]) {
    this.#local = local
    this.#sources = sources
  }

  async select(request: SelectRequest): Promise<SelectResult> {
    const sources = request.hints?.namespace === undefined ? this.#wanted(request) : []
    if (sources.length === 0) return this.#local.select(request)
    // What is asked of sources ends with the query, and when nobody waits for it any more.
    const asking = new AbortController()
    const giveUp = () => asking.abort(request.signal?.reason)
    if (request.signal?.aborted) giveUp()
    request.signal?.addEventListener('abort', giveUp, { once: true })
    try {
      return await this.#merged(request, sources, asking)
    } catch (error) {
      giveUp()
      throw error
    } finally {
      request.signal?.removeEventListener('abort', giveUp)
    }
  }

  async #merged(
    request: SelectRequest,
    sources: readonly RemoteSource[],
    asking: AbortController,
  ): Promise<SelectResult> {
    const asked = { ...request, signal: asking.signal }
    const reads = sources.map((source) => source.read(asked).catch((error: unknown) => error as Error))
    const local = await this.#local.select(withEverySample(request))
    // Remote samples are raw: what the store kept as increase or sum cannot be mixed with them.
    if (local.slices?.some((slice) => slice.column !== 'value' && slice.column !== 'last')) {
      asking.abort()
      const note = `sources not asked, since rolled-up samples answer: ${sources.map(({ name }) => name).join(', ')}`
      return {
        ...local,
        // The store adds to its own while batches are read.
        get infos() {
          return [...local.infos, note]
        },
      }
    }
    const series = new Map<string, Gathered>()
    for await (const batch of local.batches) gatherBatch(series, batch, local.symbols)
    const warnings = [...local.warnings]
    const answers = await Promise.all(reads)
    request.signal?.throwIfAborted()
    answers.forEach((answer, i) => {
      const { name } = sources[i]
      if (answer instanceof Error) {
        warnings.push(`source ${name}: ${answer.message}: its samples are missing`)
        return
      }
      for (const { labels, ...columns } of answer) gather(series, labels, columns)
    })
    const symbols = [...local.symbols]
    return { symbols, batches: batchesOf([...series.values()], symbols), warnings, infos: [...local.infos] }
  }

  async labelNames(request: LabelRequest): Promise<LabelResult> {
    return this.#texts(request, await this.#local.labelNames(request), (source) => source.labelNames(request))
  }

  async labelValues(name: string, request: LabelRequest): Promise<LabelResult> {
    const local = await this.#local.labelValues(name, request)
    return this.#texts(request, local, (source) => source.labelValues(name, request))
  }

  async series(request: LabelRequest): Promise<SeriesResult> {
    const local = await this.#local.series(request)
    const { answers, warnings } = await this.#ask(request, (source) => source.series(request))
    if (answers.length === 0) return { series: local.series, warnings: [...local.warnings, ...warnings] }
    const all = new Map(local.series.map((labels) => [labels.key, labels]))
    for (const labels of answers.flat()) all.set(labels.key, labels)
    return { series: [...all.values()].sort(compareLabels), warnings: [...local.warnings, ...warnings] }
  }

  async #texts(
    request: LabelRequest,
    local: LabelResult,
    ask: (source: RemoteSource) => Promise<readonly string[]>,
  ): Promise<LabelResult> {
    const { answers, warnings } = await this.#ask(request, ask)
    const all = [...local.warnings, ...warnings]
    if (answers.length === 0) return { values: local.values, warnings: all }
    return { values: [...new Set([...local.values, ...answers.flat()])].sort(compareUtf8), warnings: all }
  }

  async #ask<T>(request: LabelRequest, ask: (source: RemoteSource) => Promise<readonly T[]>) {
    const warnings: string[] = []
    const answers: (readonly T[])[] = []
    await Promise.all(
      this.#wanted(request).map(async (source) => {
        try {
          answers.push(await ask(source))
        } catch (error) {
          warnings.push(`source ${source.name}: ${(error as Error).message}: its part is missing`)
        }
      }),
    )
    return { answers, warnings }
  }

  #wanted(request: { matchers: SelectRequest['matchers']; startMs: number }): RemoteSource[] {
    return this.#sources.filter((source) => source.isWanted(request))
  }
}

/** Copies are put together by the times of their samples: none of the store's may be left out, and all are kept. */
function withEverySample({ hints, ...request }: SelectRequest): SelectRequest {
  const { extreme: _, ...others } = hints ?? {}
  return { ...request, reusesBatches: false, ...(hints && { hints: others as typeof hints }) }
}

function gather(series: Map<string, Gathered>, labels: Labels, columns: SampleColumns): void {
  const known = series.get(labels.key)
  if (known === undefined) series.set(labels.key, { labels, copies: [columns] })
  else known.copies.push(columns)
}

function gatherBatch(series: Map<string, Gathered>, batch: SeriesBatch, symbols: readonly string[]): void {
  // Histograms are in the order of the samples.
  let next = 0
  for (let i = 0; i < batch.seriesCount; i++) {
    const flat: string[] = []
    for (let p = batch.labelOffsets[i] * 2; p < batch.labelOffsets[i + 1] * 2; p++)
      flat.push(symbols[batch.labelPairs[p]])
    const column = batch.timestampColumns[i]
    const from = batch.sampleOffsets[i]
    const to = batch.sampleOffsets[i + 1]
    const histograms: (Histogram | undefined)[] = []
    if (batch.histograms !== undefined) {
      const { sampleIndexes, histograms: all } = batch.histograms
      for (; next < sampleIndexes.length && sampleIndexes[next] < to; next++) {
        histograms[sampleIndexes[next] - from] = all[next]
      }
    }
    gather(series, Labels.fromSorted(flat), {
      timestampsMs: batch.timestampsMs.subarray(batch.timestampOffsets[column], batch.timestampOffsets[column + 1]),
      values: batch.values.subarray(from, to),
      ...(histograms.length > 0 && { histograms }),
    })
  }
}

async function* batchesOf(all: readonly Gathered[], symbols: string[]): AsyncGenerator<SeriesBatch> {
  const ids = new Map(symbols.map((text, id) => [text, id]))
  const idOf = (text: string) => {
    let id = ids.get(text)
    if (id === undefined) {
      id = symbols.push(text) - 1
      ids.set(text, id)
    }
    return id
  }
  for (let from = 0; from < all.length; from += SERIES_PER_BATCH) {
    yield batchOf(all.slice(from, from + SERIES_PER_BATCH), idOf)
  }
}

function batchOf(part: readonly Gathered[], idOf: (text: string) => number): SeriesBatch {
  const merged = part.map(({ copies }) => mergeReplicas(copies))
  const sampleCount = merged.reduce((sum, { values }) => sum + values.length, 0)
  const pairCount = part.reduce((sum, { labels }) => sum + labels.size, 0)
  const labelOffsets = new Uint32Array(part.length + 1)
  const labelPairs = new Uint32Array(pairCount * 2)
  const sampleOffsets = new Uint32Array(part.length + 1)
  const values = new Float64Array(sampleCount)
  const timestampsMs = new Float64Array(sampleCount)
  const sampleIndexes: number[] = []
  const histograms: Histogram[] = []
  let pair = 0
  let sample = 0
  part.forEach(({ labels }, i) => {
    for (const text of labels.flat) labelPairs[pair++] = idOf(text)
    values.set(merged[i].values, sample)
    timestampsMs.set(merged[i].timestampsMs, sample)
    merged[i].histograms?.forEach((histogram, k) => {
      if (histogram === undefined) return
      sampleIndexes.push(sample + k)
      histograms.push(withoutNeighbour(histogram))
    })
    sample += merged[i].values.length
    labelOffsets[i + 1] = pair / 2
    sampleOffsets[i + 1] = sample
  })
  return {
    seriesCount: part.length,
    ...{ labelOffsets, labelPairs, sampleOffsets, values, timestampsMs },
    timestampColumns: Uint32Array.from(part, (_, i) => i),
    timestampOffsets: sampleOffsets,
    ...(histograms.length > 0 && { histograms: { sampleIndexes: Uint32Array.from(sampleIndexes), histograms } }),
  }
}

/** The sample before may be another one by now. */
function withoutNeighbour(histogram: Histogram): Histogram {
  const { counterResetHint } = histogram
  if (counterResetHint === 'gauge' || counterResetHint === 'unknown') return histogram
  return { ...histogram, counterResetHint: 'unknown' }
}
