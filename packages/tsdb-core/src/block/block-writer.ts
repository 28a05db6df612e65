/**
 * Writes one block file: series in the order of their labels, each with its columns of samples.
 *
 * The file gets its name once it is complete and synced; until then it is `….block.tmp`, which the next start removes.
 * Equal sets of samples give equal digests (DESIGN D4), so nothing here depends on clocks, references or history.
 *
 * Bytes: docs/formats/block.md. Reader: block-reader.ts.
 */
import { createHash, type Hash } from 'node:crypto'
import {
  crc32c,
  encodeSealedTimestamps,
  encodeSealedValuesBatch,
  sealedTimestampsSizeMax,
  sealedValuesSizeMax,
} from '@varve/gorilla-codec'
import type { File, FileSystem } from '../env/file-system.js'
import type { HistogramRun } from '../head/histogram-store.js'
import { grownU32 } from '../index/growable.js'
import { sortWithPauses } from '../index/sort-with-pauses.js'
import { SymbolTable } from '../index/symbol-table.js'
import { invariant } from '../invariant.js'
import { compareUtf8 } from '../model/utf8.js'
import { ByteSink } from './byte-cursor.js'
import {
  BLOCK_MAGIC,
  BLOCK_VERSION,
  type BlockIdentity,
  blockFileName,
  columnMask,
  HAS_ABSENT,
  HAS_COLUMNS,
  HAS_STARTS,
  HEADER_SIZE_BYTES,
  identitySeed,
  maskColumn,
  SAMPLES_PER_CHUNK,
  Section,
  STORED_LZ4,
  STORED_PLAIN,
  sectionSeed,
  TRAILER_SIZE_BYTES,
} from './format.js'
import { writeHistogramRun } from './histogram-runs.js'
import { lz4Compress } from './lz4.js'
import { writePostings } from './postings-codec.js'

const WRITE_SIZE_BYTES = 512 * 1024
const KNOWN_TIMES_MAX = 512

export interface WrittenBlock {
  readonly fileName: string
  readonly sizeBytes: number
  /** 128 bits of SHA-256 over all sections, in hexadecimal. */
  readonly digest: string
  readonly seriesCount: number
  readonly sampleCount: number
  readonly firstMs: number
  readonly lastMs: number
}

export interface BlockWriterOptions {
  readonly files: FileSystem
  /** Of the shard; made if need be. */
  readonly directory: string
  readonly identity: BlockIdentity
  /** Series have aggregate columns. */
  readonly hasColumns: boolean
  readonly pause: () => Promise<void> | undefined
}

interface SectionEntry {
  readonly section: number
  readonly form: number
  readonly offset: number
  readonly storedSize: number
  readonly plainSize: number
  readonly checksum: number
}

interface KnownTimes {
  readonly times: Float64Array
  readonly columns: number[]
}

export class BlockWriter {
  /** Labels of the series to come are given as symbols of this table. */
  readonly symbols = new SymbolTable()
  readonly #options: BlockWriterOptions
  readonly #file: File
  readonly #seed: number
  readonly #range = new Uint32Array(2)
  readonly #rangeEnd = new Uint32Array(1)
  readonly #digest: Hash = createHash('sha256')
  #offset = HEADER_SIZE_BYTES

  readonly #values = new ByteSink()
  readonly #valueEnds: number[] = []
  #valuesSize = 0
  #valuesChecksum: number

  readonly #times = new ByteSink()
  readonly #timeDirectory = new ByteSink()
  #timeColumnCount = 0
  /** Hash of a time column's bytes → its numbers. */
  readonly #timesByHash = new Map<number, number[]>()
  #timeOffsets: Uint32Array = new Uint32Array(64)
  readonly #knownTimes = new Map<number, KnownTimes[]>()
  #knownTimesCount = 0

  readonly #chunks = new ByteSink()
  readonly #seriesChunks = new ByteSink()
  #seriesChunkCount = 0
  #chunkCount = 0
  #lastTimeColumn = 0

  #pairs: Uint32Array = new Uint32Array(1024)
  #pairOffsets: Uint32Array = new Uint32Array(256)
  #seriesCount = 0
  #pendingPairs: Uint32Array = new Uint32Array(64)
  #pendingLength = 0

  readonly #histograms = new ByteSink()
  #histogramSeries = 0
  #seriesHasHistograms = false
  #flags: number
  #sampleCount = 0
  #firstMs = Number.POSITIVE_INFINITY
  #lastMs = Number.NEGATIVE_INFINITY

  private constructor(options: BlockWriterOptions, file: File) {
    this.#options = options
    this.#file = file
    this.#seed = identitySeed(options.identity)
    this.#valuesChecksum = sectionSeed(this.#seed, Section.Values)
    this.#flags = options.hasColumns ? HAS_COLUMNS : 0
  }

  /** @throws {FileError} when the disk does not take it. */
  static async create(options: BlockWriterOptions): Promise<BlockWriter> {
    const { files, directory } = options
    await files.makeDirectory(directory)
    const path = temporaryPath(options)
    if ((await files.stat(path)) !== null) await files.remove(path)
    const file = await files.open(path, 'create')
    const writer = new BlockWriter(options, file)
    try {
      await file.write(writer.#header())
    } catch (error) {
      await writer.abort()
      throw error
    }
    return writer
  }

  /** Begins a series that comes after all before it in the order of labels: name symbol, value symbol, …. */
  beginSeries(pairs: Uint32Array, length: number): void {
    this.#pendingPairs = grownU32(this.#pendingPairs, length)
    for (let i = 0; i < length; i++) this.#pendingPairs[i] = pairs[i]
    this.#pendingLength = length
    this.#seriesChunks.length = 0
    this.#seriesChunkCount = 0
    this.#seriesHasHistograms = false
  }

  /** Adds samples of one column of the series, sorted by time, each time once. */
  addSamples(
    column: number,
    times: Float64Array,
    values: Float64Array,
    starts: Float64Array | undefined,
    count: number,
    hasAbsent: boolean,
  ): void {
    if (count === 0) return
    if (hasAbsent) this.#flags |= HAS_ABSENT
    const timeColumns = this.#timeColumnsOf(times, count)
    for (let from = 0, k = 0; from < count; from += SAMPLES_PER_CHUNK, k++) {
      const to = Math.min(count, from + SAMPLES_PER_CHUNK)
      const valuesSize = this.#encode(values, from, to)
      const startsSize = starts !== undefined && hasAny(starts, from, to) ? this.#encode(starts, from, to) : 0
      if (startsSize > 0) this.#flags |= HAS_STARTS
      const chunks = this.#seriesChunks
      if (this.#options.hasColumns) chunks.u8(column)
      chunks.signedVarint(timeColumns[k] - this.#lastTimeColumn)
      this.#lastTimeColumn = timeColumns[k]
      chunks.varint(valuesSize)
      chunks.varint(startsSize)
      this.#seriesChunkCount++
    }
    this.#note(times[0], times[count - 1], count)
  }

  /** Adds native histograms of one column of the series, sorted by time. */
  addHistograms(column: number, run: HistogramRun): void {
    const count = run.histograms.length
    if (count === 0) return
    writeHistogramRun(this.#histograms, this.#seriesCount, column, run)
    if (run.startTimestampsMs.some((start) => start !== 0)) this.#flags |= HAS_STARTS
    this.#histogramSeries++
    this.#seriesHasHistograms = true
    this.#note(run.timestampsMs[0], run.timestampsMs[count - 1], count)
  }

  /** Ends the series; one without samples leaves no trace. Writes when enough has gathered. */
  async endSeries(): Promise<void> {
    if (this.#seriesChunkCount === 0 && !this.#seriesHasHistograms) return
    const at = this.#pairOffsets[this.#seriesCount]
    this.#pairs = grownU32(this.#pairs, at + this.#pendingLength)
    for (let i = 0; i < this.#pendingLength; i++) this.#pairs[at + i] = this.#pendingPairs[i]
    this.#seriesCount++
    this.#pairOffsets = grownU32(this.#pairOffsets, this.#seriesCount + 1)
    this.#pairOffsets[this.#seriesCount] = at + this.#pendingLength
    this.#chunks.varint(this.#seriesChunkCount)
    this.#chunks.raw(this.#seriesChunks.view())
    this.#chunkCount += this.#seriesChunkCount
    if (this.#values.length >= WRITE_SIZE_BYTES) await this.#writeValues()
  }

  /** Completes the file, syncs it and gives it its name. */
  async finish(): Promise<WrittenBlock> {
    const { files, directory, identity, pause } = this.#options
    const entries: SectionEntry[] = []
    await this.#writeValues()
    entries.push({
      section: Section.Values,
      form: STORED_PLAIN,
      offset: HEADER_SIZE_BYTES,
      storedSize: this.#valuesSize,
      plainSize: this.#valuesSize,
      checksum: this.#valuesChecksum,
    })
    const rank = await this.#rankSymbols()
    entries.push(await this.#writeSection(Section.TimeColumns, this.#times.view(), false))
    entries.push(await this.#writeSection(Section.TimeDirectory, this.#timeDirectory.view(), true))
    entries.push(await this.#writeSection(Section.Symbols, this.#symbolsSection(rank), true))
    await pause()
    entries.push(await this.#writeSection(Section.Series, this.#seriesSection(), true))
    await pause()
    entries.push(await this.#writeSection(Section.Chunks, this.#chunks.view(), true))
    await pause()
    entries.push(await this.#writeSection(Section.Postings, await this.#postingsSection(), true))
    entries.push(await this.#writeSection(Section.Histograms, this.#histograms.view(), true))
    const digest = this.#digest.digest().subarray(0, 16)
    const footer = this.#footer(entries, digest)
    await this.#file.write(footer)
    await this.#file.write(this.#trailer(footer))
    const sizeBytes = this.#offset + footer.length + TRAILER_SIZE_BYTES
    await this.#file.sync()
    await this.#file.close()
    const fileName = blockFileName(identity)
    await files.rename(temporaryPath(this.#options), `${directory}/${fileName}`)
    await files.syncDirectory(directory)
    return {
      fileName,
      sizeBytes,
      digest: Buffer.from(digest).toString('hex'),
      seriesCount: this.#seriesCount,
      sampleCount: this.#sampleCount,
      firstMs: this.#firstMs,
      lastMs: this.#lastMs,
    }
  }

  get seriesCount(): number {
    return this.#seriesCount
  }

  /** Gives up: removes what was written. */
  async abort(): Promise<void> {
    await this.#file.close()
    await this.#options.files.remove(temporaryPath(this.#options))
  }

  #note(firstMs: number, lastMs: number, count: number): void {
    this.#sampleCount += count
    if (firstMs < this.#firstMs) this.#firstMs = firstMs
    if (lastMs > this.#lastMs) this.#lastMs = lastMs
  }

  #encode(column: Float64Array, from: number, to: number): number {
    const values = this.#values
    values.reserve(sealedValuesSizeMax(to - from))
    const start = values.length
    // The batch call, for one column: it goes to the native codec where that is loaded.
    this.#range[0] = from
    this.#range[1] = to
    values.length = encodeSealedValuesBatch(column, this.#range, values.bytes, start, this.#rangeEnd)
    this.#valueEnds.push(values.length)
    return values.length - start
  }

  async #writeValues(): Promise<void> {
    const bytes = this.#values.view()
    if (bytes.length === 0) return
    this.#digest.update(bytes)
    let start = 0
    for (const end of this.#valueEnds) {
      maskColumn(bytes, end, columnMask(this.#seed, this.#valuesSize + start))
      start = end
    }
    this.#valuesChecksum = crc32c(bytes, 0, bytes.length, this.#valuesChecksum)
    await this.#file.write(bytes)
    this.#valuesSize += bytes.length
    this.#offset += bytes.length
    this.#values.length = 0
    this.#valueEnds.length = 0
  }

  /** Numbers of the time columns of a series' chunks, which are made if there are none with these times. */
  #timeColumnsOf(times: Float64Array, count: number): readonly number[] {
    let hash = count
    for (let i = 0; i < count; i++) hash = Math.imul(hash ^ (times[i] % 0x1_0000_0000), 0x9e3779b1) ^ (hash >>> 15)
    const known = this.#knownTimes.get(hash)?.find((one) => sameTimes(one.times, times, count))
    if (known !== undefined) return known.columns
    const columns: number[] = []
    for (let from = 0; from < count; from += SAMPLES_PER_CHUNK) {
      columns.push(this.#timeColumn(times, from, Math.min(count, from + SAMPLES_PER_CHUNK)))
    }
    if (this.#knownTimesCount++ >= KNOWN_TIMES_MAX) {
      this.#knownTimes.clear()
      this.#knownTimesCount = 1
    }
    const entry = { times: times.slice(0, count), columns }
    const others = this.#knownTimes.get(hash)
    if (others === undefined) this.#knownTimes.set(hash, [entry])
    else others.push(entry)
    return columns
  }

  #timeColumn(times: Float64Array, from: number, to: number): number {
    const sink = this.#times
    sink.reserve(sealedTimestampsSizeMax(to - from))
    const start = sink.length
    const end = encodeSealedTimestamps(times, from, to, sink.bytes, start)
    const hash = crc32c(sink.bytes, start, end)
    const candidates = this.#timesByHash.get(hash) ?? []
    for (const column of candidates) {
      if (sameBytes(sink.bytes, this.#timeOffsets[column], this.#timeOffsets[column + 1], start, end)) return column
    }
    sink.length = end
    const column = this.#timeColumnCount++
    this.#timeOffsets = grownU32(this.#timeOffsets, column + 2)
    this.#timeOffsets[column + 1] = end
    if (candidates.length === 0) this.#timesByHash.set(hash, [column])
    else candidates.push(column)
    this.#timeDirectory.varint(end - start)
    this.#timeDirectory.varint(to - from)
    this.#timeDirectory.varint(times[from])
    this.#timeDirectory.varint(times[to - 1] - times[from])
    return column
  }

  /** Gives each used symbol its place in the order of texts; pairs are renumbered. Returns the symbols in that order. */
  async #rankSymbols(): Promise<Uint32Array> {
    const { texts } = this.symbols
    const isUsed = new Uint8Array(this.symbols.count)
    const pairCount = this.#pairOffsets[this.#seriesCount]
    for (let i = 0; i < pairCount; i++) isUsed[this.#pairs[i]] = 1
    const used = new Uint32Array(isUsed.length)
    let count = 0
    for (let symbol = 0; symbol < isUsed.length; symbol++) if (isUsed[symbol] === 1) used[count++] = symbol
    const sorted = await sortWithPauses(
      used.subarray(0, count),
      (a, b) => compareUtf8(texts[a], texts[b]),
      this.#options.pause,
    )
    const rank = new Uint32Array(isUsed.length)
    for (let place = 0; place < count; place++) rank[sorted[place]] = place
    for (let i = 0; i < pairCount; i++) this.#pairs[i] = rank[this.#pairs[i]]
    return sorted
  }

  #symbolsSection(sorted: Uint32Array): Uint8Array {
    const out = new ByteSink()
    out.varint(sorted.length)
    for (const symbol of sorted) out.varint(this.symbols.lengthOf(symbol))
    for (const symbol of sorted) {
      out.reserve(this.symbols.lengthOf(symbol))
      out.length = this.symbols.copy(symbol, out.bytes, out.length)
    }
    return out.view()
  }

  /** Labels, as what differs from the series before. */
  #seriesSection(): Uint8Array {
    const out = new ByteSink()
    out.varint(this.#seriesCount)
    for (let series = 0; series < this.#seriesCount; series++) {
      const from = this.#pairOffsets[series]
      const to = this.#pairOffsets[series + 1]
      const before = series === 0 ? from : this.#pairOffsets[series - 1]
      let shared = 0
      while (
        before + shared + 1 < from &&
        from + shared + 1 < to &&
        this.#pairs[before + shared] === this.#pairs[from + shared] &&
        this.#pairs[before + shared + 1] === this.#pairs[from + shared + 1]
      ) {
        shared += 2
      }
      invariant(series === 0 || this.#isBefore(series - 1, series), 'series rise in a block', series)
      out.varint(shared / 2)
      out.varint((to - from - shared) / 2)
      for (let i = from + shared; i < to; i++) out.varint(this.#pairs[i])
    }
    return out.view()
  }

  #isBefore(a: number, b: number): boolean {
    let i = this.#pairOffsets[a]
    let j = this.#pairOffsets[b]
    for (; i < this.#pairOffsets[a + 1] && j < this.#pairOffsets[b + 1]; i++, j++) {
      if (this.#pairs[i] !== this.#pairs[j]) return this.#pairs[i] < this.#pairs[j]
    }
    return this.#pairOffsets[a + 1] - this.#pairOffsets[a] < this.#pairOffsets[b + 1] - this.#pairOffsets[b]
  }

  async #postingsSection(): Promise<Uint8Array> {
    const lists = new Map<number, Map<number, number[]>>()
    for (let series = 0; series < this.#seriesCount; series++) {
      for (let i = this.#pairOffsets[series]; i < this.#pairOffsets[series + 1]; i += 2) {
        let values = lists.get(this.#pairs[i])
        if (values === undefined) lists.set(this.#pairs[i], (values = new Map()))
        const list = values.get(this.#pairs[i + 1])
        if (list === undefined) values.set(this.#pairs[i + 1], [series])
        else list.push(series)
      }
      if (series % 1024 === 0) await this.#options.pause()
    }
    const out = new ByteSink()
    const body = new ByteSink()
    const one = new ByteSink()
    out.varint(lists.size)
    for (const [name, values] of [...lists].sort((a, b) => a[0] - b[0])) {
      body.length = 0
      let before = 0
      const order = await sortWithPauses(Uint32Array.from(values.keys()), (a, b) => a - b, this.#options.pause)
      for (let i = 0; i < order.length; i++) {
        if (i % 1024 === 0) await this.#options.pause()
        const value = order[i]
        const list = values.get(value) as number[]
        one.length = 0
        writePostings(one, Uint32Array.from(list), list.length)
        body.varint(value - before)
        before = value
        body.varint(one.length)
        body.raw(one.view())
      }
      out.varint(name)
      out.varint(values.size)
      out.varint(body.length)
      out.raw(body.view())
      await this.#options.pause()
    }
    return out.view()
  }

  async #writeSection(section: number, plain: Uint8Array, isText: boolean): Promise<SectionEntry> {
    this.#digest.update(Uint8Array.of(section))
    this.#digest.update(plain)
    const compressed = isText ? lz4Compress(plain) : plain
    const isSmaller = compressed.length < plain.length
    const bytes = isSmaller ? compressed : plain
    const entry = {
      section,
      form: isSmaller ? STORED_LZ4 : STORED_PLAIN,
      offset: this.#offset,
      storedSize: bytes.length,
      plainSize: plain.length,
      checksum: crc32c(bytes, 0, bytes.length, sectionSeed(this.#seed, section)),
    }
    if (bytes.length > 0) await this.#file.write(bytes)
    this.#offset += bytes.length
    return entry
  }

  #header(): Uint8Array {
    const bytes = new Uint8Array(HEADER_SIZE_BYTES)
    const view = new DataView(bytes.buffer)
    const { identity } = this.#options
    bytes.set(BLOCK_MAGIC)
    view.setUint32(8, BLOCK_VERSION, true)
    view.setUint32(12, identity.shard, true)
    view.setFloat64(16, identity.startMs, true)
    view.setFloat64(24, identity.endMs, true)
    view.setUint32(32, identity.generation, true)
    view.setUint32(60, crc32c(bytes, 0, 60, this.#seed), true)
    return bytes
  }

  #footer(entries: readonly SectionEntry[], digest: Uint8Array): Uint8Array {
    const out = new ByteSink()
    out.varint(this.#flags)
    out.varint(this.#seriesCount)
    out.varint(this.#sampleCount)
    out.varint(this.#timeColumnCount)
    out.varint(this.#chunkCount)
    out.varint(this.#histogramSeries)
    out.varint(this.#sampleCount === 0 ? 0 : this.#firstMs)
    out.varint(this.#sampleCount === 0 ? 0 : this.#lastMs)
    out.raw(digest)
    out.varint(entries.length)
    for (const entry of entries) {
      out.varint(entry.section)
      out.varint(entry.form)
      out.varint(entry.offset)
      out.varint(entry.storedSize)
      out.varint(entry.plainSize)
      out.varint(entry.checksum)
    }
    return out.view().slice()
  }

  #trailer(footer: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(TRAILER_SIZE_BYTES)
    const view = new DataView(bytes.buffer)
    view.setFloat64(0, this.#offset, true)
    view.setUint32(8, footer.length, true)
    view.setUint32(12, crc32c(footer, 0, footer.length, this.#seed), true)
    view.setUint32(16, BLOCK_VERSION, true)
    view.setUint32(20, crc32c(bytes, 0, 20, this.#seed), true)
    bytes.set(BLOCK_MAGIC, 24)
    return bytes
  }
}

function temporaryPath(options: BlockWriterOptions): string {
  return `${options.directory}/${blockFileName(options.identity)}.tmp`
}

function hasAny(column: Float64Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (column[i] !== 0) return true
  return false
}

function sameTimes(known: Float64Array, times: Float64Array, count: number): boolean {
  if (known.length !== count) return false
  for (let i = 0; i < count; i++) if (known[i] !== times[i]) return false
  return true
}

function sameBytes(bytes: Uint8Array, aStart: number, aEnd: number, bStart: number, bEnd: number): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false
  for (let i = aStart, j = bStart; i < aEnd; i++, j++) if (bytes[i] !== bytes[j]) return false
  return true
}
