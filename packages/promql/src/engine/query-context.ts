/** What all operators of one running query share. */
import type { QueryKernels } from '@varve/native'
import { Cancellation, type Queryable } from '@varve/tsdb-core/query'
import { PromqlError } from '../errors.js'
import { LabelTable } from '../operators/label-table.js'
import { Annotations } from './annotations.js'
import type { EngineClock } from './clock.js'
import { Budget, type QueryLimits } from './limits.js'
import { type QueryStats, type TraceNode, traceNode } from './stats.js'

/** A turn of the event loop lasts about so long before the query yields, unless the clock says otherwise. */
const TURN_MS = 8

export interface QueryContextOptions {
  readonly queryable: Queryable
  readonly query: string
  readonly lookbackMs: number
  readonly clock: EngineClock
  readonly limits: QueryLimits
  readonly signal: AbortSignal | undefined
  readonly typeAndUnitLabels: boolean
  readonly rangeQuery: boolean
  /** Rust kernels, if there are any and they are wanted. */
  readonly kernels: QueryKernels | undefined
  /** Handed to the store with every select. */
  readonly namespace?: string | undefined
  readonly resolutionMsMax?: number | undefined
}

/** Made once: without a reason, each abort would make an error with a stack. */
const ENDED = new PromqlError('canceled', 'the query has ended')

export class QueryContext {
  readonly options: QueryContextOptions
  readonly labels = new LabelTable()
  readonly annotations = new Annotations()
  readonly budget: Budget
  readonly stats: QueryStats
  /** Warnings and infos of the store, in its own words. */
  readonly storeWarnings = new Set<string>()
  readonly storeInfos = new Set<string>()
  readonly #abort = new Cancellation()
  readonly #startMs: number
  #turnStartMs: number
  /** Set once the loop has turned since `#turnStartMs`: the next turn begins when the query goes on. */
  #turnEnded = false

  constructor(options: QueryContextOptions) {
    this.options = options
    this.budget = new Budget(options.limits)
    this.#startMs = options.clock.monotonicMs()
    this.#turnStartMs = this.#startMs
    this.#watchTurn()
    this.stats = {
      samplesRead: 0,
      seriesRead: 0,
      bytesRead: 0,
      batchesRead: 0,
      selects: 0,
      samplesPeak: 0,
      prepareMs: 0,
      evaluateMs: 0,
      turnMsMax: 0,
      trace: traceNode('query'),
    }
    const { signal } = options
    if (signal?.aborted) this.#abort.abort(signal.reason)
    signal?.addEventListener('abort', this.#forward, { once: true })
  }

  readonly #forward = () => this.#abort.abort(this.options.signal?.reason)

  /** Aborted when the caller gives up or the query has failed. */
  get signal(): AbortSignal {
    return this.#abort
  }

  nowMs(): number {
    return this.options.clock.monotonicMs()
  }

  /** True when the query has held the event loop long enough; then `await context.yield()`. */
  shouldYield(): boolean {
    const { clock } = this.options
    return clock.monotonicMs() - this.#turnStartMs > (clock.turnMs?.() ?? TURN_MS)
  }

  /** Lets others run. @throws {PromqlError} `canceled` or `timeout`. */
  async yield(): Promise<void> {
    this.endTurn()
    await this.options.clock.yield()
    this.startTurn()
    this.check()
  }

  /** The query waits for the store from here on. The store may answer within the same turn: that counts as one. */
  endTurn(): void {
    const turnMs = this.nowMs() - this.#turnStartMs
    if (turnMs > this.stats.turnMsMax) this.stats.turnMsMax = turnMs
  }

  startTurn(): void {
    if (!this.#turnEnded) return
    this.#turnStartMs = this.nowMs()
    this.#watchTurn()
  }

  #watchTurn(): void {
    this.#turnEnded = false
    void this.options.clock.yield().then(() => {
      this.#turnEnded = true
    })
  }

  check(): void {
    if (this.options.signal?.aborted) {
      throw new PromqlError('canceled', 'query was canceled in expression evaluation', {
        cause: this.options.signal.reason,
      })
    }
    const { timeoutMs } = this.options.limits
    if (this.nowMs() - this.#startMs > timeoutMs) {
      throw new PromqlError(
        'timeout',
        `query timed out in expression evaluation: the limit timeoutMs is ${timeoutMs}; ask for less, or raise it`,
      )
    }
  }

  /** Stops what still runs for the query; called once, at its end. */
  close(): void {
    this.endTurn()
    this.options.signal?.removeEventListener('abort', this.#forward)
    this.#abort.abort(ENDED)
  }

  trace(parent: TraceNode, name: string): TraceNode {
    const node = traceNode(name)
    parent.children.push(node)
    return node
  }
}
