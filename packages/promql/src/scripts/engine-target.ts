/** The engine over a store in memory, as a target of scripts. */
import type { Histogram, Labels } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'
import { Engine, type EngineOptions } from '../engine/engine.js'
import type { QueryResult } from '../engine/result.js'
import { storedResetHint } from '../histograms/index.js'
import type { Answer, AnswerSample, ScriptTarget } from './answer.js'
import type { LoadSeries } from './load.js'

/** A store that scripts can fill: `MemoryQueryable` of `@varve/tsdb-core/testing` is one. */
export interface ScriptStore<Stale extends symbol> extends Queryable {
  clear(): void
  /** `startMs` 0: no start timestamp. */
  append(labels: Labels, timeMs: number, value: number | Histogram | Stale, startMs?: number): void
}

export class EngineTarget<Stale extends symbol> implements ScriptTarget {
  readonly #engine: Engine
  readonly #store: ScriptStore<Stale>
  readonly #stale: Stale

  /** `stale` is what the store takes for a staleness marker. */
  constructor(store: ScriptStore<Stale>, stale: Stale, options?: EngineOptions) {
    this.#engine = new Engine(options)
    this.#store = store
    this.#stale = stale
  }

  async clear(): Promise<void> {
    this.#store.clear()
  }

  async load(series: readonly LoadSeries[]): Promise<void> {
    for (const { labels, samples } of series) {
      let previous: Histogram | undefined
      for (const { timeMs, value, histogram, startTimeMs } of samples) {
        const stored = histogram && { ...histogram, counterResetHint: storedResetHint(histogram, previous) }
        this.#store.append(labels, timeMs, stored ?? value ?? this.#stale, startTimeMs)
        previous = histogram
      }
    }
  }

  async instant(query: string, timeMs: number): Promise<Answer> {
    return answerOf(await this.#engine.instantQuery({ queryable: this.#store, query, timeMs }))
  }

  async range(query: string, times: { startMs: number; endMs: number; stepMs: number }): Promise<Answer> {
    const { startMs, endMs, stepMs } = times
    return answerOf(await this.#engine.rangeQuery({ queryable: this.#store, query, startMs, endMs, stepMs }))
  }
}

export function answerOf(result: QueryResult): Answer {
  const series: { labels: Labels; samples: AnswerSample[] }[] = []
  for (let i = 0; i < result.series.count; i++) {
    const samples: AnswerSample[] = []
    result.series.forEachSample(i, (timeMs, value, histogram) => samples.push({ timeMs, value, histogram }))
    series.push({ labels: result.series.labels(i), samples })
  }
  const { type, text, warnings, infos } = result
  return { type, series, warnings, infos, ...(text !== undefined && { text }) }
}
