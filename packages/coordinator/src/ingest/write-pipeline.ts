/**
 * From a write request to stored samples.
 *
 *     decode     a large body, out of its snappy block                              in parts of 1 MiB
 *     scan       body → columns, series found by their label bytes                  synchronous, one pass
 *     stage      unknown series parsed and checked; histograms, exemplars, metadata  in parts of 256
 *     resolve    unknown series → references, which the cache then knows             one call a part
 *     append     columns → storage; what it refuses is reported, the rest is stored  in parts of 20,000 rows
 *
 * An ordinary request is one part of each; between parts of a large one the event loop turns. Those of more than 4 MiB or 20,000
 * rows are worked off one at a time, with memory that is kept for one of them. Good parts of a bad request are
 * stored. A request whose bytes are malformed stores no samples. Repeating a request is harmless: an identical sample is a
 * success.
 */
import { histogramProblem } from '@varve/promql'
import type { AppendResult, Rejection } from '@varve/tsdb-core'
import { encodeCanonicalLabels, type Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import type { HistogramColumn } from '@varve/tsdb-core/query'
import type { ExemplarStore } from '../exemplars/exemplar-store.js'
import type { MetadataStore } from '../metadata/metadata-store.js'
import { decodeSnappyInTurns, snappyDecodedSize } from '../snappy/index.js'
import { FAULT } from '../wire-error.js'
import type { Door, ReplicaGate } from './door/door.js'
import { decodeHistogram } from './histogram-wire.js'
import { DROPPED_REF, type LabelCache, REFUSED_REF } from './label-cache.js'
import { ProblemList } from './problem-list.js'
import { ProtobufReader } from './protobuf-reader.js'
import { reduceSchema } from './reduce-schema.js'
import { resolveWithinLimits } from './resolve-within-limits.js'
import { SeriesLabels } from './series-labels.js'
import { clearUnknownRows, compact, type ReceivedCounts, type Staged } from './staged-rows.js'
import {
  EXTRA_EXEMPLAR,
  EXTRA_HISTOGRAM,
  EXTRA_STRIDE,
  STATUS,
  UNKNOWN_STRIDE,
  type WriteColumns,
  type WriteLimits,
} from './write-columns.js'
import { decodeExemplar, decodeMetadataV1, decodeMetadataV2, familyOf, Symbols } from './write-extras.js'
import type { WriteMemory } from './write-memory.js'
import { type Scratch, throwFault, type WriteScanner, type WriteVersion } from './write-scanner.js'
import { REJECTION_TEXT, refusedText, type TimeBounds, type WriteSink } from './write-sink.js'

export interface WritePipelineOptions {
  readonly sink: WriteSink
  readonly scanner: WriteScanner
  readonly memory: WriteMemory
  readonly cache: LabelCache
  readonly exemplars: ExemplarStore
  readonly metadata: MetadataStore
  readonly door?: Door
  readonly replicas?: ReplicaGate
  /** For messages; absent: they do not say. */
  readonly timeBounds?: () => TimeBounds
  /** Default: those of the memory, which none may exceed. */
  readonly limits?: WriteLimits
  /** Lets the event loop turn between parts of a large request. Default: no pause. */
  readonly pause?: () => Promise<void>
}

/** What became of a request. Written counts are of what is stored now, received ones of what came. */
export interface WriteOutcome extends ReceivedCounts {
  readonly samplesWritten: number
  readonly histogramsWritten: number
  readonly exemplarsWritten: number
  /** Not stored on purpose: another replica of its cluster is the elected one. */
  readonly deduplicated: boolean
  readonly problems: ProblemList
}

/** What the scan found, in memory that stays this request's for as long as it is read. */
interface Scanned {
  readonly bytes: Uint8Array
  readonly unknowns: Uint32Array
  readonly extras: Uint32Array
  readonly columns: WriteColumns
}

/** Unknown series of one turn that are to be stored, as they outlive the scratch. */
interface UnknownPart {
  readonly count: number
  /** Canonical labels, back to back, n + 1 offsets. */
  readonly canonical: Uint8Array
  readonly canonicalOffsets: Uint32Array
  /** Their label bytes as they came, which the cache shall know, back to back. */
  readonly keys: Uint8Array
  /** Stride 4: key offset, key length, first row, rows. */
  readonly unknowns: Uint32Array
}

/**
 * So many unknown series, exemplars, histograms … are looked at in one turn of the event loop: 1 to 2 ms, and
 * five times that while the code for it is not compiled yet, as when a whole fleet comes to a server that has just started.
 */
const STAGED_AT_ONCE = 256
/** … or of so many bytes: labels may be long, and histograms wide. */
const STAGED_BYTES_AT_ONCE = 256 << 10
/** Of one histogram on the wire, some ten thousand buckets, of one exemplar or metadata: what is larger is none of them. */
const EXTRA_SIZE_BYTES_MAX = 64 << 10
/** A larger body is decoded in turns. Senders that follow their defaults come to 0.5 MiB, vmagent to 3 MiB. */
const DECODED_AT_ONCE_BYTES = 4 << 20
/** So many rows go to the store in one turn. A histogram costs as much as ten samples and more. */
const ROWS_AT_ONCE = 20_000
const HISTOGRAM_ROWS_AT_ONCE = 2_000

export class WritePipeline {
  readonly #sink: WriteSink
  readonly #timeBounds: (() => TimeBounds) | undefined
  readonly #scanner: WriteScanner
  readonly #memory: WriteMemory
  readonly #cache: LabelCache
  readonly #exemplars: ExemplarStore
  readonly #metadata: MetadataStore
  readonly #labels = new SeriesLabels()
  readonly #limits: WriteLimits
  readonly #pause: () => Promise<void>
  #door: Door | undefined
  #replicas: ReplicaGate | undefined

  constructor(options: WritePipelineOptions) {
    this.#sink = options.sink
    this.#timeBounds = options.timeBounds
    this.#scanner = options.scanner
    this.#memory = options.memory
    this.#cache = options.cache
    this.#exemplars = options.exemplars
    this.#metadata = options.metadata
    this.#door = options.door
    this.#replicas = options.replicas
    this.#limits = options.limits ?? options.memory.limits
    this.#pause = options.pause ?? (() => Promise.resolve())
  }

  /** Other rules from now on: what the cache knows was admitted by the old ones, so it is emptied. */
  changeDoor(door: Door | undefined, replicas: ReplicaGate | undefined): void {
    this.#door = door
    this.#replicas = replicas
    this.#cache.clear()
  }

  /**
   * Stores a remote write request. `body` is its snappy block and is read until the promise settles.
   *
   * @throws {WireError} for malformed or too large requests: nothing of them is stored.
   * @throws {StorageError} when the store cannot take writes now: repeating the request later is right and harmless.
   */
  async write(version: WriteVersion, body: Uint8Array): Promise<WriteOutcome> {
    const { large } = this.#memory
    const size = snappyDecodedSize(body)
    const isOrdinary = size <= DECODED_AT_ONCE_BYTES || size > this.#limits.decodedSizeBytesMax
    const outcome = isOrdinary ? await this.#write(version, body, null) : null
    return outcome ?? (await large.use((own) => this.#write(version, body, own))) ?? unreachable()
  }

  /** `own`: a scratch for as long as it takes. Without one, null for a request that takes more rows than columns ordinarily have. */
  async #write(version: WriteVersion, body: Uint8Array, own: Scratch | null): Promise<WriteOutcome | null> {
    const columns = this.#memory.take()
    try {
      let staged = await this.#stage(version, body, columns, own)
      if (staged === null) return null
      if (!staged.elected) return deduplicated(staged)
      let result = await this.#append(staged, columns)
      if (result.rejections.some(({ reason }) => reason === 'UNKNOWN_SERIES')) {
        // Series have left the store since the cache learnt them. What was stored meanwhile is an identical repetition.
        this.#forgetUnknown(result, columns)
        staged = await this.#stage(version, body, columns, own)
        if (staged === null) return null
        if (!staged.elected) return deduplicated(staged)
        result = await this.#append(staged, columns)
      }
      return this.#outcome(staged, result, columns)
    } finally {
      this.#memory.giveBack(columns)
    }
  }

  /** Scans the request and finds a reference for each row. */
  async #stage(
    version: WriteVersion,
    body: Uint8Array,
    columns: WriteColumns,
    own: Scratch | null,
  ): Promise<Staged | null> {
    const limits = this.#limits
    const cache = this.#cache
    const scratch = own ?? this.#memory.scratch
    const { status } = columns
    let decodedSize: number | undefined
    if (own !== null) {
      decodedSize = await decodeSnappyInTurns(body, own.bytes, this.#pause, limits.decodedSizeBytesMax)
      await this.#pause()
    }
    const request = { version, body, decodedSize, scratch, cache, columns, limits }
    this.#scanner.scan(request)
    while (status[STATUS.FAULT] === FAULT.TOO_MANY_SAMPLES && columns.canGrow) {
      if (own === null) return null
      columns.growRows()
      await columns.touchRows(this.#pause)
      this.#scanner.scan(request)
    }
    throwFault(columns, this.#limits)
    this.#cache.lastEntry = status[STATUS.LAST_ENTRY]
    const accepted = this.#accepts(columns, scratch)
    const unknownCount = status[STATUS.UNKNOWN_COUNT]
    const extraCount = status[STATUS.EXTRA_COUNT]
    const staged: Staged = {
      ...received(columns),
      elected: true,
      count: status[STATUS.SAMPLE_COUNT],
      exemplarsWritten: 0,
      problems: new ProblemList(),
      histogramRows: [],
      histograms: [],
      hasStart: status[STATUS.HAS_START] === 1,
      droppedSamples: 0,
      droppedHistograms: 0,
    }
    clearUnknownRows(columns)
    let { unknowns, extras } = columns
    let extrasEnd = endOfPart(extras, EXTRA_STRIDE, EXTRA_SIZES, 0, extraCount)
    let unknownEnd = endOfPart(unknowns, UNKNOWN_STRIDE, UNKNOWN_SIZES, 0, unknownCount)
    let { bytes } = scratch
    if (typeof accepted !== 'boolean' || extrasEnd < extraCount || unknownEnd < unknownCount) {
      // Scratch and lists are the next request's as soon as we wait: what takes more than this turn is copied. A scratch
      // of its own stays.
      if (own === null) bytes = bytes.slice(0, status[STATUS.SCRATCH_END])
      unknowns = unknowns.slice(0, unknownCount * UNKNOWN_STRIDE)
      extras = extras.slice(0, extraCount * EXTRA_STRIDE)
    }
    staged.elected = typeof accepted === 'boolean' ? accepted : await accepted
    if (!staged.elected) return staged
    const scanned: Scanned = { bytes, unknowns, extras, columns }
    for (let from = 0; from < extraCount; from = extrasEnd) {
      if (from > 0) await this.#pause()
      extrasEnd = endOfPart(extras, EXTRA_STRIDE, EXTRA_SIZES, from, extraCount)
      this.#stageExtras(version, scanned, staged, from, extrasEnd)
    }
    for (let from = 0; from < unknownCount; from = unknownEnd) {
      if (from > 0) await this.#pause()
      unknownEnd = endOfPart(unknowns, UNKNOWN_STRIDE, UNKNOWN_SIZES, from, unknownCount)
      const part = this.#stageUnknown(scanned, staged, from, unknownEnd)
      if (part.count > 0) await this.#resolve(part, staged, columns)
    }
    // To store the first samples of so many series takes as long again.
    if (unknownCount >= STAGED_AT_ONCE) await this.#pause()
    return staged
  }

  #accepts(columns: WriteColumns, scratch: Scratch): boolean | Promise<boolean> {
    const { status } = columns
    if (this.#replicas === undefined || status[STATUS.SERIES_COUNT] === 0) return true
    const { bytes } = scratch
    const length = status[STATUS.FIRST_LABELS_LENGTH]
    if (this.#labels.parse(bytes, status[STATUS.FIRST_LABELS], length, this.#limits) !== null) return true
    return this.#replicas.accepts(this.#labels.toLabels())
  }

  /** Parses and checks the unknown series `[from, to)` of the scan. */
  #stageUnknown(scanned: Scanned, staged: Staged, from: number, to: number): UnknownPart {
    const limits = this.#limits
    const { bytes, unknowns } = scanned
    const { seriesRefs } = scanned.columns
    const count = to - from
    let keysSize = 0
    for (let u = from; u < to; u++) keysSize += Math.min(unknowns[u * UNKNOWN_STRIDE + 1], limits.labelSizeBytesMax)
    const keys = new Uint8Array(keysSize)
    // A canonical form is never longer than the label messages that it was made from, unless the door makes it so.
    let canonical = new Uint8Array(keysSize)
    const canonicalOffsets = new Uint32Array(count + 1)
    const kept = new Uint32Array(count * UNKNOWN_STRIDE)
    let keysEnd = 0
    let canonicalEnd = 0
    let keptCount = 0
    for (let u = from; u < to; u++) {
      const at = unknowns[u * UNKNOWN_STRIDE]
      const length = unknowns[u * UNKNOWN_STRIDE + 1]
      const firstRow = unknowns[u * UNKNOWN_STRIDE + 2]
      const rows = unknowns[u * UNKNOWN_STRIDE + 3]
      const fault = this.#labels.parse(bytes, at, length, limits)
      if (fault !== null) {
        staged.problems.add('series', fault, () => this.#labels.describe())
        seriesRefs.fill(REFUSED_REF, firstRow, firstRow + rows)
        continue
      }
      if (this.#door !== undefined) {
        const admitted = this.#door.admit(this.#labels.toLabels())
        const refused = admitted !== null && admitted.get(METRIC_NAME) === ''
        if (refused)
          staged.problems.add('series', 'missing metric name after relabelling', () => this.#labels.describe())
        if (admitted === null || refused) {
          if (!refused) this.#cache.insert(bytes, at, length, DROPPED_REF)
          seriesRefs.fill(refused ? REFUSED_REF : DROPPED_REF, firstRow, firstRow + rows)
          continue
        }
        const encoded = encodeCanonicalLabels(admitted)
        canonical = withRoom(canonical, canonicalEnd, encoded.length)
        canonical.set(encoded, canonicalEnd)
        canonicalEnd += encoded.length
      } else {
        canonical = withRoom(canonical, canonicalEnd, this.#labels.canonicalSizeBytes)
        canonicalEnd = this.#labels.writeCanonical(canonical, canonicalEnd)
      }
      canonicalOffsets[keptCount + 1] = canonicalEnd
      keys.set(bytes.subarray(at, at + length), keysEnd)
      kept[keptCount * UNKNOWN_STRIDE] = keysEnd
      kept[keptCount * UNKNOWN_STRIDE + 1] = length
      kept[keptCount * UNKNOWN_STRIDE + 2] = firstRow
      kept[keptCount * UNKNOWN_STRIDE + 3] = rows
      keysEnd += length
      keptCount++
    }
    return {
      count: keptCount,
      canonical: canonical.subarray(0, canonicalEnd),
      canonicalOffsets: canonicalOffsets.subarray(0, keptCount + 1),
      keys,
      unknowns: kept,
    }
  }

  /** Decodes the extras `[from, to)` of the scan. */
  #stageExtras(version: WriteVersion, scanned: Scanned, staged: Staged, from: number, to: number): void {
    const { bytes, extras, columns } = scanned
    const symbols = new Symbols(bytes, columns, columns.status[STATUS.SYMBOL_COUNT])
    for (let x = from * EXTRA_STRIDE; x < to * EXTRA_STRIDE; x += EXTRA_STRIDE) {
      const at = extras[x + 1]
      const end = at + extras[x + 2]
      if (extras[x] === EXTRA_HISTOGRAM) {
        this.#stageHistogram(bytes, at, end, extras[x + 3], columns, staged)
        continue
      }
      if (end - at > EXTRA_SIZE_BYTES_MAX) {
        if (extras[x] !== EXTRA_EXEMPLAR) this.#metadata.refusedCount++
        else if (version === 2) staged.problems.add('exemplar', 'too large', () => tooLarge(at, end))
        continue
      }
      const reader = new ProtobufReader(bytes, at, end)
      if (extras[x] === EXTRA_EXEMPLAR) {
        const exemplar = decodeExemplar(reader, version, symbols)
        const labels = this.#labelsAt(bytes, extras[x + 4], extras[x + 5])
        if (labels === null) continue // Its series was refused or dropped, and that is reported.
        const fault = this.#exemplars.add(labels, exemplar)
        if (fault === null) staged.exemplarsWritten++
        // Version 1 never fails for an exemplar: its senders have no way to tell it from a lost sample.
        else if (version === 2) staged.problems.add('exemplar', fault, () => labels.toString())
      } else if (version === 1) {
        const { family, metadata } = decodeMetadataV1(reader)
        this.#metadata.record(family, metadata)
      } else {
        const metadata = decodeMetadataV2(reader, symbols)
        const name = this.#labelsAt(bytes, extras[x + 4], extras[x + 5])?.metricName ?? ''
        if (metadata.type !== 'unknown' || metadata.help !== '' || metadata.unit !== '') {
          this.#metadata.record(familyOf(name, metadata), metadata)
        }
      }
    }
  }

  #stageHistogram(
    bytes: Uint8Array,
    at: number,
    end: number,
    row: number,
    columns: WriteColumns,
    staged: Staged,
  ): void {
    if (end - at > EXTRA_SIZE_BYTES_MAX) {
      staged.problems.add('histogram', 'too large', () => tooLarge(at, end))
      columns.seriesRefs[row] = REFUSED_REF
      return
    }
    const sample = decodeHistogram(bytes, at, end)
    columns.timestampsMs[row] = sample.timestampMs
    if (sample.startTimestampMs !== 0 && !staged.hasStart) {
      // Only histograms have one: the rows of the samples must not keep what a request before left there.
      columns.startTimestampsMs.fill(0, 0, staged.count)
      staged.hasStart = true
    }
    columns.startTimestampsMs[row] = sample.startTimestampMs
    const histogram = reduceSchema(sample.histogram)
    const fault = histogramProblem(histogram)
    if (fault !== undefined) {
      staged.problems.add('histogram', reasonOf(fault), () => fault)
      columns.seriesRefs[row] = REFUSED_REF
      return
    }
    staged.histogramRows.push(row)
    staged.histograms.push(histogram)
  }

  /** Labels as the series is stored under them, or null when it is not stored. */
  #labelsAt(bytes: Uint8Array, at: number, length: number): Labels | null {
    if (this.#labels.parse(bytes, at, length, this.#limits) !== null) return null
    const labels = this.#labels.toLabels()
    return this.#door === undefined ? labels : this.#door.admit(labels)
  }

  async #resolve(part: UnknownPart, staged: Staged, columns: WriteColumns): Promise<void> {
    const { unknowns, count, keys } = part
    const limited = new Set<number>()
    const refs = await resolveWithinLimits(this.#sink, part.canonical, part.canonicalOffsets, (index, error) => {
      limited.add(index)
      staged.problems.add('series', 'series limit reached', () => error.message)
    })
    for (let u = 0; u < count; u++) {
      const at = u * UNKNOWN_STRIDE
      const ref = limited.has(u) ? REFUSED_REF : refs[u]
      for (let row = unknowns[at + 2]; row < unknowns[at + 2] + unknowns[at + 3]; row++) {
        // A histogram that was refused stays so.
        if (columns.seriesRefs[row] !== REFUSED_REF) columns.seriesRefs[row] = ref
      }
      if (ref !== REFUSED_REF) this.#cache.insert(keys, unknowns[at], unknowns[at + 1], ref)
    }
  }

  /** Stores all rows that are to be stored, in parts that each take a short turn. */
  async #append(staged: Staged, columns: WriteColumns): Promise<AppendResult> {
    compact(staged, columns)
    const { count, histogramRows, histograms, hasStart } = staged
    const rowsAtOnce = histograms.length > 0 ? HISTOGRAM_ROWS_AT_ONCE : ROWS_AT_ONCE
    const rejections: Rejection[] = []
    let appendedCount = 0
    let h = 0
    for (let from = 0; from < count; from += rowsAtOnce) {
      if (from > 0) await this.#pause()
      const to = Math.min(count, from + rowsAtOnce)
      const firstHistogram = h
      while (h < histogramRows.length && histogramRows[h] < to) h++
      const histogramColumn: HistogramColumn | undefined =
        h > firstHistogram
          ? {
              sampleIndexes: Uint32Array.from(histogramRows.slice(firstHistogram, h), (row) => row - from),
              histograms: histograms.slice(firstHistogram, h),
            }
          : undefined
      const result = await this.#sink.append({
        count: to - from,
        seriesRefs: columns.seriesRefs.subarray(from, to),
        timestampsMs: columns.timestampsMs.subarray(from, to),
        values: columns.values.subarray(from, to),
        ...(hasStart ? { startTimestampsMs: columns.startTimestampsMs.subarray(from, to) } : {}),
        ...(histogramColumn === undefined ? {} : { histograms: histogramColumn }),
      })
      appendedCount += result.appendedCount
      for (const { sampleIndex, reason } of result.rejections)
        rejections.push({ sampleIndex: sampleIndex + from, reason })
    }
    return { appendedCount, rejections }
  }

  #forgetUnknown(result: AppendResult, columns: WriteColumns): void {
    const gone = new Set<number>()
    for (const { sampleIndex, reason } of result.rejections) {
      if (reason === 'UNKNOWN_SERIES') gone.add(columns.seriesRefs[sampleIndex])
    }
    this.#cache.forget(gone)
  }

  #outcome(staged: Staged, result: AppendResult, columns: WriteColumns): WriteOutcome {
    const histogramRows = new Set(staged.histogramRows)
    let histograms = staged.histograms.length
    let samples = staged.count - histograms
    for (const { sampleIndex, reason } of result.rejections) {
      const unit = histogramRows.has(sampleIndex) ? 'histogram' : 'sample'
      if (unit === 'histogram') histograms--
      else samples--
      staged.problems.add(unit, REJECTION_TEXT[reason], () => {
        const labels = this.#sink.labelsOf(columns.seriesRefs[sampleIndex])
        return refusedText(labels, columns.timestampsMs[sampleIndex], reason, this.#timeBounds?.())
      })
    }
    return {
      samplesWritten: samples + staged.droppedSamples,
      histogramsWritten: histograms + staged.droppedHistograms,
      exemplarsWritten: staged.exemplarsWritten,
      samplesReceived: staged.samplesReceived,
      histogramsReceived: staged.histogramsReceived,
      exemplarsReceived: staged.exemplarsReceived,
      deduplicated: false,
      problems: staged.problems,
    }
  }
}

/** What came, by kind. */
function received({ status, extras }: WriteColumns): ReceivedCounts {
  let histograms = 0
  let exemplars = 0
  for (let x = 0; x < status[STATUS.EXTRA_COUNT] * EXTRA_STRIDE; x += EXTRA_STRIDE) {
    if (extras[x] === EXTRA_HISTOGRAM) histograms++
    else if (extras[x] === EXTRA_EXEMPLAR) exemplars++
  }
  return {
    samplesReceived: status[STATUS.SAMPLE_COUNT] - histograms,
    histogramsReceived: histograms,
    exemplarsReceived: exemplars,
  }
}

/** Where the sizes of an extra and of an unknown series stand: its own bytes, those of its labels. */
const EXTRA_SIZES = [2, 5] as const
const UNKNOWN_SIZES = [1] as const

/** The end of what is looked at in one turn, from `from` on: at least one. */
function endOfPart(table: Uint32Array, stride: number, sizes: readonly number[], from: number, count: number): number {
  const last = Math.min(count, from + STAGED_AT_ONCE)
  let bytes = 0
  for (let i = from; i < last; i++) {
    for (const at of sizes) bytes += table[i * stride + at]
    if (bytes > STAGED_BYTES_AT_ONCE && i > from) return i
  }
  return last
}

function deduplicated(counts: ReceivedCounts): WriteOutcome {
  return {
    ...counts,
    samplesWritten: counts.samplesReceived,
    histogramsWritten: counts.histogramsReceived,
    exemplarsWritten: counts.exemplarsReceived,
    deduplicated: true,
    problems: new ProblemList(),
  }
}

function unreachable(): never {
  throw new Error('invariant broken: a request with a scratch of its own has as many columns as the limits allow')
}

function tooLarge(at: number, end: number): string {
  return `${end - at} bytes, at most ${EXTRA_SIZE_BYTES_MAX}`
}

/** The rule that was broken, without the numbers of this case: what stands behind the last colon. */
function reasonOf(fault: string): string {
  return fault.slice(fault.lastIndexOf(': ') + 1).trim()
}

function withRoom(bytes: Uint8Array, used: number, more: number): Uint8Array<ArrayBuffer> {
  if (used + more <= bytes.length) return bytes as Uint8Array<ArrayBuffer>
  const wider = new Uint8Array(Math.max(bytes.length * 2, used + more))
  wider.set(bytes.subarray(0, used))
  return wider
}
