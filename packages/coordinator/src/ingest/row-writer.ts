/**
 * Samples that come one by one with their labels as text (OTLP, text formats, imports): checked, admitted and stored as
 * columns like those of remote write, in batches.
 */
import { histogramProblem } from '@varve/promql'
import type { AppendResult, Rejection } from '@varve/tsdb-core'
import { encodeCanonicalLabels, type Histogram, type Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import { ORDINARY_NAN_BITS, STALE_NAN_BITS } from '../api/nan-text.js'
import type { Door } from './door/door.js'
import { ProblemList } from './problem-list.js'
import { reduceSchema } from './reduce-schema.js'
import { resolveWithinLimits } from './resolve-within-limits.js'
import type { WriteLimits } from './write-columns.js'
import { REJECTION_TEXT, refusedText, type TimeBounds, type WriteSink } from './write-sink.js'

/**
 * One sample. A value that is a staleness marker is told by `stale`, any other NaN by `nanBits`: their bits would not survive
 * in a number. A NaN without them is stored as Prometheus' ordinary one.
 */
export interface WriteRow {
  readonly labels: Labels
  readonly timestampMs: number
  readonly value: number
  readonly stale?: boolean
  readonly nanBits?: bigint
  readonly histogram?: Histogram
  readonly startTimestampMs?: number
}

export interface RowOutcome {
  /** Stored, or left out on purpose. */
  readonly writtenCount: number
  readonly refusedCount: number
  readonly problems: ProblemList
}

export interface RowWriterOptions {
  readonly sink: WriteSink
  readonly limits: WriteLimits
  readonly door?: Door
  /** For messages; absent: they do not say. */
  readonly timeBounds?: () => TimeBounds
}

const BATCH_COUNT_MAX = 5000
const KNOWN_COUNT_MAX = 200_000
const DROPPED = -1
/** Half of a pair cannot be written as UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/u

export class RowWriter {
  readonly #sink: WriteSink
  readonly #limits: WriteLimits
  readonly #timeBounds: (() => TimeBounds) | undefined
  #door: Door | undefined
  /** References by the key of the labels as they came; `DROPPED` for those that the door leaves out. */
  readonly #known = new Map<string, number>()

  constructor(options: RowWriterOptions) {
    this.#sink = options.sink
    this.#limits = options.limits
    this.#door = options.door
    this.#timeBounds = options.timeBounds
  }

  changeDoor(door: Door | undefined): void {
    this.#door = door
    this.#known.clear()
  }

  /**
   * Stores what can be stored and says why the rest was not.
   *
   * @throws {StorageError} when the store cannot take writes now; earlier batches are then stored, and repeating is harmless.
   */
  async write(rows: readonly WriteRow[]): Promise<RowOutcome> {
    const problems = new ProblemList()
    let writtenCount = 0
    for (let from = 0; from < rows.length; from += BATCH_COUNT_MAX) {
      writtenCount += await this.#writeBatch(rows.slice(from, from + BATCH_COUNT_MAX), problems)
    }
    return { writtenCount, refusedCount: rows.length - writtenCount, problems }
  }

  async #writeBatch(rows: readonly WriteRow[], problems: ProblemList): Promise<number> {
    const refused = new Set<string>()
    await this.#learn(rows, refused, problems)
    const first = await this.#append(rows, refused, problems)
    const gone = first.rejections.filter(({ reason }) => reason === 'UNKNOWN_SERIES')
    if (gone.length === 0) return first.written
    // Their series have left the store meanwhile: they are made known again, and these rows are tried once more.
    const again = gone.map(({ sampleIndex }) => first.rows[sampleIndex])
    for (const { labels } of again) this.#known.delete(labels.key)
    await this.#learn(again, refused, problems)
    const second = await this.#append(again, refused, problems)
    const lost = second.rejections.filter(({ reason }) => reason === 'UNKNOWN_SERIES').length
    if (lost > 0) problems.add('sample', REJECTION_TEXT.UNKNOWN_SERIES, () => 'a series that was deleted', lost)
    return first.written + second.written
  }

  /** Finds references for series that are not known; keys of refused ones go into `refused`. */
  async #learn(rows: readonly WriteRow[], refused: Set<string>, problems: ProblemList): Promise<void> {
    if (this.#known.size > KNOWN_COUNT_MAX) this.#known.clear()
    const keys: string[] = []
    const canonical: Uint8Array[] = []
    const asked = new Set<string>()
    for (const { labels } of rows) {
      const { key } = labels
      if (this.#known.has(key) || asked.has(key)) continue
      asked.add(key)
      const fault = labelsFault(labels, this.#limits)
      if (fault !== null) {
        problems.add('series', fault, () => labels.toString())
        refused.add(key)
        continue
      }
      const admitted = this.#door === undefined ? labels : this.#door.admit(labels)
      if (admitted === null) this.#known.set(key, DROPPED)
      else if (admitted.get(METRIC_NAME) === '') {
        problems.add('series', 'missing metric name after relabelling', () => labels.toString())
        refused.add(key)
      } else {
        keys.push(key)
        canonical.push(encodeCanonicalLabels(admitted))
      }
    }
    if (keys.length === 0) return
    const offsets = new Uint32Array(keys.length + 1)
    canonical.forEach((bytes, i) => {
      offsets[i + 1] = offsets[i] + bytes.length
    })
    const bytes = new Uint8Array(offsets[keys.length])
    canonical.forEach((part, i) => {
      bytes.set(part, offsets[i])
    })
    const limited = new Set<number>()
    const refs = await resolveWithinLimits(this.#sink, bytes, offsets, (index, error) => {
      limited.add(index)
      problems.add('series', 'series limit reached', () => error.message)
    })
    keys.forEach((key, i) => {
      if (limited.has(i)) refused.add(key)
      else this.#known.set(key, refs[i])
    })
  }

  async #append(
    rows: readonly WriteRow[],
    refused: ReadonlySet<string>,
    problems: ProblemList,
  ): Promise<{ written: number; rejections: readonly Rejection[]; rows: readonly WriteRow[] }> {
    const seriesRefs = new Uint32Array(rows.length)
    const timestampsMs = new Float64Array(rows.length)
    const startTimestampsMs = new Float64Array(rows.length)
    const values = new Float64Array(rows.length)
    const bits = new BigUint64Array(values.buffer)
    const sampleIndexes: number[] = []
    const histograms: Histogram[] = []
    const kept: WriteRow[] = []
    let dropped = 0
    let hasStart = false
    for (const row of rows) {
      if (refused.has(row.labels.key)) continue
      const ref = this.#known.get(row.labels.key) as number
      if (ref === DROPPED) {
        dropped++
        continue
      }
      const k = kept.length
      if (row.histogram !== undefined) {
        const histogram = reduceSchema(row.histogram)
        const fault = histogramProblem(histogram)
        if (fault !== undefined) {
          problems.add('histogram', fault, () => row.labels.toString())
          continue
        }
        sampleIndexes.push(k)
        histograms.push(histogram)
      } else if (row.stale === true) bits[k] = STALE_NAN_BITS
      else if (Number.isNaN(row.value)) bits[k] = row.nanBits ?? ORDINARY_NAN_BITS
      else values[k] = row.value
      seriesRefs[k] = ref
      timestampsMs[k] = row.timestampMs
      if (row.startTimestampMs) {
        startTimestampsMs[k] = row.startTimestampMs
        hasStart = true
      }
      kept.push(row)
    }
    if (kept.length === 0) return { written: dropped, rejections: [], rows: kept }
    const result: AppendResult = await this.#sink.append({
      count: kept.length,
      seriesRefs,
      timestampsMs,
      values,
      ...(hasStart ? { startTimestampsMs } : {}),
      ...(histograms.length > 0 ? { histograms: { sampleIndexes: Uint32Array.from(sampleIndexes), histograms } } : {}),
    })
    for (const { sampleIndex, reason } of result.rejections) {
      if (reason === 'UNKNOWN_SERIES') continue
      const { labels, timestampMs } = kept[sampleIndex]
      problems.add('sample', REJECTION_TEXT[reason], () =>
        refusedText(labels, timestampMs, reason, this.#timeBounds?.()),
      )
    }
    return { written: dropped + kept.length - result.rejections.length, rejections: result.rejections, rows: kept }
  }
}

/** Prometheus' rules for labels that are text already; empty values are absent labels and not there any more. */
function labelsFault(labels: Labels, limits: WriteLimits): string | null {
  if (labels.get(METRIC_NAME) === '') return 'missing metric name'
  if (labels.size > limits.labelCountMax) return 'too many labels'
  for (const [name, value] of labels) {
    if (name === '') return 'empty label name'
    if (LONE_SURROGATE.test(name) || LONE_SURROGATE.test(value)) return 'invalid UTF-8'
    if (Buffer.byteLength(name) > limits.labelNameSizeBytesMax) return 'label name too long'
    if (Buffer.byteLength(value) > limits.labelValueSizeBytesMax) return 'label value too long'
  }
  return null
}
