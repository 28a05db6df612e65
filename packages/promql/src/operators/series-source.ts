/**
 * Raw samples for a selector: one select of the store, shared by all selectors of the query that want the same.
 *
 * A selector that stands alone streams. One that several nodes share is read once and kept, as long as the query runs.
 */

import type { Matcher } from '@varve/tsdb-core/model'
import type { SealedColumns, SelectHints, SelectResult, SeriesBatch } from '@varve/tsdb-core/query'
import type { QueryContext } from '../engine/query-context.js'
import type { TraceNode } from '../engine/stats.js'
import { PromqlError, type PromqlErrorCode } from '../errors.js'
import { SymbolMap } from './label-table.js'

export interface SelectOrder {
  readonly matchers: readonly Matcher[]
  /** `(afterMs, untilMs]`: PromQL's left-open range. */
  readonly afterMs: number
  readonly untilMs: number
  readonly hints: SelectHints
  /** Batches are looked at after the next was asked for. */
  readonly keepsBatches?: boolean
}

/** A batch with the means to read its labels. */
export interface SourceBatch {
  readonly batch: SeriesBatch
  readonly symbols: SymbolMap
  readonly result: SelectResult
}

/** What a select answers, which one reader reads once. */
export interface Selection {
  readonly batches: AsyncIterable<SourceBatch>
  /** The same without batches, where it lies in one sealed block and nobody else reads it. */
  readonly sealed?: SealedSelection
}

export interface SealedSelection {
  readonly columns: SealedColumns
  readonly result: SelectResult
  /** Waits for the store: what `columns` load. */
  wait<T>(work: () => Promise<T>): Promise<T>
  /** Charges series and samples that were read. */
  charge(seriesCount: number, sampleCount: number): void
  /** Series at these places as batches, which are charged too. */
  batches(places: Uint32Array): AsyncIterable<SourceBatch>
  /** The last call. */
  end(): Promise<void>
}

export class SeriesSource {
  readonly #context: QueryContext
  /** How often each select is wanted, counted before the query runs, and whether all want the samples' presence alone. */
  readonly #wanted = new Map<string, { count: number; presenceOnly: boolean }>()
  readonly #kept = new Map<string, Promise<SourceBatch[]>>()
  /** The first select that was announced: one alone has nobody to share with, and is not looked for by its key. */
  #only: SelectOrder | undefined

  constructor(context: QueryContext) {
    this.#context = context
  }

  /** Announces a select, so that equal ones are read once. */
  want(order: SelectOrder): void {
    const first = this.#only
    if (first === undefined) {
      this.#only = order
      return
    }
    if (this.#wanted.size === 0) this.#want(first)
    this.#want(order)
  }

  #want(order: SelectOrder): void {
    const key = keyOf(order)
    const before = this.#wanted.get(key) ?? { count: 0, presenceOnly: true }
    const presenceOnly = before.presenceOnly && order.hints.presenceOnly === true
    this.#wanted.set(key, { count: before.count + 1, presenceOnly })
  }

  async *read(order: SelectOrder, trace: TraceNode): AsyncGenerator<SourceBatch> {
    const key = this.#wanted.size === 0 ? '' : keyOf(order)
    const wanted = this.#wanted.get(key)
    if (order.hints.presenceOnly && wanted?.presenceOnly === false) {
      order = { ...order, hints: { ...order.hints, presenceOnly: false } }
    }
    if (wanted === undefined || wanted.count < 2) {
      yield* this.#held(this.#stream(order, trace, order.keepsBatches !== true))
      return
    }
    let kept = this.#kept.get(key)
    if (kept === undefined) {
      kept = this.#collect(order, trace)
      // Whoever awaits it gets the error; without this, one that nobody awaits any more would end the process.
      kept.catch(() => undefined)
      this.#kept.set(key, kept)
    }
    yield* await kept
  }

  async #collect(order: SelectOrder, trace: TraceNode): Promise<SourceBatch[]> {
    const batches: SourceBatch[] = []
    for await (const batch of this.#stream(order, trace, false)) {
      this.#context.budget.holdSamples(batch.batch.values.length)
      batches.push(batch)
    }
    return batches
  }

  /** As `read`, of which it is the first part where columns of a sealed block may be read instead of batches. */
  async open(order: SelectOrder, trace: TraceNode): Promise<Selection> {
    if (this.#wanted.size > 0) {
      const wanted = this.#wanted.get(keyOf(order))
      if (wanted !== undefined && wanted.count > 1) return { batches: this.read(order, trace) }
    }
    const result = await this.#select(order, trace, true)
    const batches = this.#held(this.#all(result, trace))
    // However few series: what other queries ran through just before is in the processor's caches, batches are not.
    if (result.sealed === undefined) return { batches }
    const context = this.#context
    const sealed: SealedSelection = {
      columns: result.sealed,
      result,
      wait: async (work) => {
        context.endTurn()
        const done = await this.#guarded(work)
        context.startTurn()
        return done
      },
      charge: (seriesCount, sampleCount) => this.#charge(trace, seriesCount, sampleCount, sampleCount * 8),
      batches: (places) => this.#held(this.#drain(result, result.sealed!.batches(places), trace)),
      end: async () => {
        await result.batches[Symbol.asyncIterator]().return?.()
        this.#takeNotes(result)
      },
    }
    return { batches, sealed }
  }

  async *#held(batches: AsyncIterable<SourceBatch>): AsyncGenerator<SourceBatch> {
    const { budget } = this.#context
    for await (const batch of batches) {
      const count = batch.batch.values.length
      budget.holdSamples(count)
      yield batch
      budget.releaseSamples(count)
    }
  }

  async *#stream(order: SelectOrder, trace: TraceNode, reusesBatches: boolean): AsyncGenerator<SourceBatch> {
    yield* this.#all(await this.#select(order, trace, reusesBatches), trace)
  }

  async *#all(result: SelectResult, trace: TraceNode): AsyncGenerator<SourceBatch> {
    yield* this.#drain(result, result.batches, trace)
    this.#takeNotes(result)
  }

  async #select(order: SelectOrder, trace: TraceNode, reusesBatches: boolean): Promise<SelectResult> {
    const context = this.#context
    const { namespace, resolutionMsMax } = context.options
    context.endTurn()
    const result = await this.#guarded(() =>
      context.options.queryable.select({
        matchers: order.matchers,
        startMs: order.afterMs + 1,
        endMs: order.untilMs + 1,
        hints: {
          ...order.hints,
          ...(namespace === undefined ? {} : { namespace }),
          ...(resolutionMsMax === undefined ? {} : { resolutionMsMax }),
        },
        signal: context.signal,
        reusesBatches,
      }),
    )
    context.startTurn()
    context.stats.selects++
    trace.slices = result.slices?.map((slice) => `${slice.namespace} (${slice.column}) from ${slice.startMs}`) ?? []
    return result
  }

  async *#drain(
    result: SelectResult,
    batches: AsyncIterable<SeriesBatch>,
    trace: TraceNode,
  ): AsyncGenerator<SourceBatch> {
    const context = this.#context
    const symbols = new SymbolMap((symbol) => result.symbols[symbol], context.labels)
    let timestampTable: number | undefined
    let timestampBytes = 0
    const iterator = batches[Symbol.asyncIterator]()
    try {
      for (;;) {
        context.endTurn()
        const next = await this.#guarded(() => iterator.next())
        context.startTurn()
        if (next.done) break
        context.check()
        const batch = next.value
        let bytes = batch.values.byteLength + batch.labelPairs.byteLength
        // Of a table that several batches share, only what is new is read.
        if (batch.timestampTable === undefined || batch.timestampTable !== timestampTable) timestampBytes = 0
        bytes += batch.timestampsMs.byteLength - timestampBytes
        timestampBytes = batch.timestampsMs.byteLength
        timestampTable = batch.timestampTable
        this.#charge(trace, batch.seriesCount, batch.values.length, bytes)
        yield { batch, symbols, result }
      }
    } finally {
      await iterator.return?.()
    }
  }

  #charge(trace: TraceNode, seriesCount: number, sampleCount: number, bytes: number): void {
    const { stats, budget } = this.#context
    stats.batchesRead++
    stats.seriesRead += seriesCount
    stats.samplesRead += sampleCount
    stats.bytesRead += bytes
    trace.series += seriesCount
    trace.samplesRead += sampleCount
    trace.bytesRead += bytes
    budget.readSeries(seriesCount)
    budget.readBytes(bytes)
  }

  #takeNotes(result: SelectResult): void {
    for (const warning of result.warnings) this.#context.storeWarnings.add(warning)
    for (const info of result.infos) this.#context.storeInfos.add(info)
  }

  /** Store errors become the query's own, with the store's message. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      this.#context.check()
      if (error instanceof PromqlError) throw error
      const code = (error as { code?: unknown }).code
      const kind = KIND_OF_STORAGE.get(code) ?? 'internal'
      throw new PromqlError(kind, `expanding series: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      })
    }
  }
}

/** Codes of the store's errors that are not a failure of it; `INVALID_ARGUMENT` is a namespace that there is not. */
const KIND_OF_STORAGE: ReadonlyMap<unknown, PromqlErrorCode> = new Map([
  ['INVALID_ARGUMENT', 'bad_data'],
  ['LIMIT_EXCEEDED', 'execution'],
  ['CANCELLED', 'canceled'],
])

function keyOf(order: SelectOrder): string {
  const matchers = order.matchers.map(({ name, operator, value }) => JSON.stringify([name, operator, value])).sort()
  return `${order.afterMs} ${order.untilMs} ${order.hints.function} ${order.hints.rangeMs} ${matchers.join(' ')}`
}
