/** The engine over a store in memory, as a target of scripts. */
import type { Labels } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'
import { Engine, type EngineOptions } from '../engine/engine.js'
import type { QueryResult } from '../engine/result.js'
import type { Answer, AnswerSample, ScriptTarget } from './answer.js'
import type { LoadSeries } from './load.js'

/** A store that scripts can fill. */
export interface ScriptStore extends Queryable {
  clear(): void
  /** A sample without a value and without a histogram is a staleness marker. */
  addSamples(series: LoadSeries): void
}

export class EngineTarget implements ScriptTarget {
  readonly #engine: Engine
  readonly #store: ScriptStore

  constructor(store: ScriptStore, options?: EngineOptions) {
    this.#engine = new Engine(options)
    this.#store = store
  }

  async clear(): Promise<void> {
    this.#store.clear()
  }

  async load(series: readonly LoadSeries[]): Promise<void> {
    for (const one of series) this.#store.addSamples(one)
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
