/**
 * A query's result as JSON, in parts of some 128 KiB straight from the engine's columns: floats as bytes, the rest as text. No
 * object a sample or a series, and no part is made before the client has taken the one before it: a part of bytes is good until the
 * next is asked for.
 *
 * `resultType` stands before `result`: Grafana reads the stream in that order.
 */
import { type JsonKernels, nativeKernels } from '@varve/native'
import type { QueryResult, QueryStats, ResultLabelSets, ResultSeries } from '@varve/promql'
import { type Notices, noticesJson } from './envelope.js'
import { goNumber, goTimestamp, histogramJson, labelsJson } from './go-json.js'
import { JsonBytes, type SeriesRun } from './json-bytes.js'
import { LabelTexts } from './label-texts.js'
import { head, headsAt, headsOfGrid } from './sample-heads.js'
import { typescriptJson } from './samples-json.js'

/** Of all parts but the last, at least: the client reads one while the next is written. Most answers are one part, which needs no stream. */
export const PART_BYTES = 128 << 10
/** Their texts are escaped in one go. */
const SERIES_PER_CALL = 512
const NONE = new Uint8Array(0)
const LIMIT_WARNING = 'results truncated due to limit'

export interface QueryJsonOptions {
  /** At most so many series; 0: all. */
  readonly limit: number
  readonly stats: 'none' | 'summary' | 'all'
  readonly notices: Notices
  /** Lets the event loop turn between parts, and throws when the client has gone. */
  readonly pause: () => Promise<void>
  /** Default: the native ones, where they are loaded, else those in TypeScript. */
  readonly kernels?: JsonKernels
}

export async function* queryJson(result: QueryResult, options: QueryJsonOptions): AsyncGenerator<string | Uint8Array> {
  const { series } = result
  const limited = options.limit > 0 && result.type !== 'scalar' && series.count > options.limit
  const count = limited ? options.limit : series.count
  let text = `{"status":"success","data":{"resultType":"${result.type}","result":`
  if (result.type === 'string') {
    text += `[${goTimestamp(result.timeMs)},${JSON.stringify(result.text ?? '')}]`
  } else if (result.type === 'scalar') {
    let value = NaN
    series.forEachSample(0, (_, sample) => (value = sample))
    text += `[${goTimestamp(result.timeMs)},"${goNumber(value)}"]`
  } else {
    text += '['
    let first = true
    if (series.labelSets !== undefined && isOfFloats(series)) {
      const kernels = options.kernels ?? nativeKernels() ?? typescriptJson
      const out = new JsonBytes(kernels)
      try {
        out.text(text)
        yield* seriesParts(result, series.labelSets, count, out, options.pause)
        out.text(`]${endOf(result, options, limited)}`)
        // Nearly always it is the only part, which outlives us.
        yield out.whole()
      } finally {
        out.close()
      }
      return
    }
    for (let i = 0; i < count; i++) {
      const row = result.type === 'vector' ? vectorRow(result, i) : mixedRow(result, i)
      if (row === null) continue
      text += first ? row : `,${row}`
      first = false
      if (text.length >= PART_BYTES) {
        yield text
        text = ''
        await options.pause()
      }
    }
    text += ']'
  }
  yield text + endOf(result, options, limited)
}

/** All parts but the last, whose text stays in `out`. */
async function* seriesParts(
  result: QueryResult,
  labelSets: ResultLabelSets,
  count: number,
  out: JsonBytes,
  pause: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const texts = new LabelTexts(labelSets)
  let next = 0
  for (const run of runsOf(result, count)) {
    while (next < run.end) {
      const end = Math.min(run.end, next + SERIES_PER_CALL)
      texts.prepare(next, end)
      while (next < end) {
        next = out.series(end === run.end ? run : { ...run, end }, texts, next, PART_BYTES)
        if (out.length < PART_BYTES) continue
        yield out.part()
        await pause()
      }
    }
  }
}

/** What stands behind the result. */
function endOf(result: QueryResult, options: QueryJsonOptions, limited: boolean): string {
  const stats = options.stats === 'none' ? '' : `,"stats":${statsJson(result.stats, options.stats === 'all')}`
  const warnings = [...(options.notices.warnings ?? []), ...result.warnings, ...(limited ? [LIMIT_WARNING] : [])]
  const infos = [...(options.notices.infos ?? []), ...result.infos]
  return `${stats}}${noticesJson({ warnings, infos })}}`
}

/** Whether all samples are floats in columns, which the kernels take. */
function isOfFloats(series: ResultSeries): boolean {
  if (series.grid !== undefined) return series.grid.histograms === undefined
  if (series.samples === undefined) return false
  for (let i = 0; i < series.count; i++) if (series.samples(i).histograms !== undefined) return false
  return true
}

function* runsOf({ type, series }: QueryResult, count: number): Generator<SeriesRun> {
  const { grid, samples } = series
  if (grid !== undefined) {
    const { values, presence, stepCount } = grid
    const firsts = grid.rows.map((row) => row * stepCount)
    yield { values, presence, firsts, heads: headsOfGrid(grid), isInstant: type === 'vector', end: count }
    return
  }
  if (samples === undefined) return
  // Series of one scrape share their times, and those of one batch their memory.
  const firsts = new Uint32Array(count)
  for (let i = 0; i < count; ) {
    const { timesMs, values } = samples(i)
    let end = i
    for (; end < count; end++) {
      const other = samples(end)
      if (other.values.buffer !== values.buffer || !isSameView(other.timesMs, timesMs)) break
      firsts[end] = other.values.byteOffset / 8
    }
    const all = new Float64Array(values.buffer, 0, Math.floor(values.buffer.byteLength / 8))
    yield { values: all, presence: NONE, firsts, heads: headsAt(timesMs), isInstant: false, end }
    i = end
  }
}

function isSameView(a: Float64Array, b: Float64Array): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.length === b.length
}

function vectorRow(result: QueryResult, index: number): string | null {
  let sample: string | null = null
  result.series.forEachSample(index, (_, value, histogram) => {
    const time = goTimestamp(result.timeMs)
    sample =
      histogram === undefined
        ? `"value":[${time},"${goNumber(value)}"]`
        : `"histogram":[${time},${histogramJson(histogram)}]`
  })
  return sample === null ? null : `{"metric":${labelsJson(result.series.labels(index))},${sample}}`
}

/** A row of floats and histograms, or of histograms alone. */
function mixedRow({ series }: QueryResult, index: number): string | null {
  let values = ''
  let histograms = ''
  series.forEachSample(index, (timeMs, value, histogram) => {
    if (histogram === undefined) values += `${values === '' ? '' : ','}${head(timeMs)}${goNumber(value)}"]`
    else histograms += `${histograms === '' ? '' : ','}[${goTimestamp(timeMs)},${histogramJson(histogram)}]`
  })
  if (values === '' && histograms === '') return null
  let row = `{"metric":${labelsJson(series.labels(index))}`
  if (values !== '') row += `,"values":[${values}]`
  if (histograms !== '') row += `,"histograms":[${histograms}]`
  return `${row}}`
}

function statsJson(stats: QueryStats, all: boolean): string {
  const prepare = stats.prepareMs / 1000
  const evaluate = stats.evaluateMs / 1000
  const summary = {
    timings: {
      evalTotalTime: prepare + evaluate,
      resultSortTime: 0,
      queryPreparationTime: prepare,
      innerEvalTime: evaluate,
      execQueueTime: 0,
      execTotalTime: prepare + evaluate,
    },
    samples: {
      totalQueryableSamples: stats.samplesRead,
      samplesRead: stats.samplesRead,
      peakSamples: stats.samplesPeak,
    },
  }
  return JSON.stringify(all ? { ...summary, trace: stats.trace } : summary)
}
