/** A query's answer as the runner compares it: series with their samples, whatever engine or server they come from. */
import type { Histogram, Labels } from '@varve/tsdb-core/model'

export interface AnswerSample {
  readonly timeMs: number
  readonly value: number
  readonly histogram: Histogram | undefined
}

export interface AnswerSeries {
  readonly labels: Labels
  readonly samples: readonly AnswerSample[]
}

export interface Answer {
  readonly type: 'scalar' | 'vector' | 'matrix' | 'string'
  readonly text?: string
  readonly series: readonly AnswerSeries[]
  readonly warnings: readonly string[]
  readonly infos: readonly string[]
}

/** What scripts run against. */
export interface ScriptTarget {
  /** Forgets all samples. */
  clear(): Promise<void>
  load(series: readonly import('./load.js').LoadSeries[]): Promise<void>
  /** Both throw the query's error. */
  instant(query: string, timeMs: number): Promise<Answer>
  range(query: string, times: { startMs: number; endMs: number; stepMs: number }): Promise<Answer>
}
