/**
 * The index of a sealed block in memory: its series and their labels, where their chunks are, and its posting lists, which
 * are decoded when they are asked for.
 */
import { decodeSealedTimestamps } from '@varve/gorilla-codec'
import { grownU32 } from '../index/growable.js'
import type { LabelIndex, LabelValues } from '../index/label-index.js'
import { MatchCache } from '../index/match-cache.js'
import { EMPTY_POSTINGS } from '../index/posting-list.js'
import { compareUtf8 } from '../model/utf8.js'
import { ByteCursor } from './byte-cursor.js'
import { decodedTimes } from './decoded-times.js'
import { HAS_COLUMNS } from './format.js'
import { readPostings } from './postings-codec.js'

export interface IndexParts {
  /** What the footer says, for a check against the sections. */
  readonly footer: {
    readonly flags: number
    readonly seriesCount: number
    readonly timeColumnCount: number
    readonly chunkCount: number
  }
  readonly times: Uint8Array
  readonly timeDirectory: Uint8Array
  readonly symbols: Uint8Array
  readonly series: Uint8Array
  readonly chunks: Uint8Array
  readonly postings: Uint8Array
  /** Names a section in errors. */
  readonly where: (section: string) => string
}

const SERIES_PER_PAUSE = 4096
const FOUND_MAX = 1024
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export class BlockIndex implements LabelIndex {
  readonly matches: MatchCache
  readonly seriesCount: number
  /** Labels of series s: `pairs[pairOffsets[s] .. pairOffsets[s+1])`, symbols of this block. */
  readonly pairs: Uint32Array
  readonly pairOffsets: Uint32Array
  /** Chunks of series s: `[chunkOffsets[s], chunkOffsets[s+1])`. */
  readonly chunkOffsets: Uint32Array
  readonly chunkTimeColumns: Uint32Array
  /** Where the values of a chunk end in the values section, and those of its start timestamps; the next begins there. */
  readonly chunkEnds: Float64Array
  readonly chunkStartSizes: Uint32Array
  /** Aggregate column of each chunk; absent in a raw block. */
  readonly chunkColumns: Uint8Array | undefined
  readonly timeCounts: Uint32Array
  readonly timeFirstMs: Float64Array
  readonly timeLastMs: Float64Array
  readonly #times: Uint8Array
  readonly #timesOwner = decodedTimes.newOwner()
  readonly #timeOffsets: Uint32Array
  readonly #symbols: BlockSymbols
  readonly #labels = new Map<string, BlockLabel>()
  #all: Uint32Array | undefined

  private constructor(
    decoded: DecodedSeries & DecodedChunks & DecodedTimes,
    symbols: BlockSymbols,
    times: Uint8Array,
    matches: MatchCache,
  ) {
    this.matches = matches
    this.seriesCount = decoded.pairOffsets.length - 1
    this.pairs = decoded.pairs
    this.pairOffsets = decoded.pairOffsets
    this.chunkOffsets = decoded.chunkOffsets
    this.chunkTimeColumns = decoded.chunkTimeColumns
    this.chunkEnds = decoded.chunkEnds
    this.chunkStartSizes = decoded.chunkStartSizes
    this.chunkColumns = decoded.chunkColumns
    this.timeCounts = decoded.timeCounts
    this.timeFirstMs = decoded.timeFirstMs
    this.timeLastMs = decoded.timeLastMs
    this.#timeOffsets = decoded.timeOffsets
    this.#times = times
    this.#symbols = symbols
  }

  /** @throws {StorageError} `CORRUPT` for bytes that passed their checksums and yet are not what a writer writes. */
  static async decode(
    parts: IndexParts,
    pause: () => Promise<void> | undefined,
    matches = new MatchCache(),
  ): Promise<BlockIndex> {
    const symbols = new BlockSymbols(parts.symbols, parts.where('Symbols'))
    await pause()
    const series = await decodeSeries(parts, symbols.count, pause)
    const times = decodeTimes(parts)
    const chunks = await decodeChunks(parts, series.pairOffsets.length - 1, pause)
    const index = new BlockIndex({ ...series, ...chunks, ...times }, symbols, parts.times, matches)
    index.#readLabels(parts)
    return index
  }

  /** Memory that it takes, about, `matches` not counted. */
  get sizeBytes(): number {
    return (
      this.pairs.byteLength +
      this.pairOffsets.byteLength +
      this.chunkOffsets.byteLength +
      this.chunkTimeColumns.byteLength +
      this.chunkEnds.byteLength +
      this.chunkStartSizes.byteLength +
      (this.chunkColumns?.byteLength ?? 0) +
      this.timeCounts.byteLength * 5 +
      this.#times.byteLength +
      this.#symbols.sizeBytes +
      this.#labels.size * 200
    )
  }

  get symbolCount(): number {
    return this.#symbols.count
  }

  symbolText(symbol: number): string {
    return this.#symbols.text(symbol)
  }

  all(): Uint32Array {
    this.#all ??= Uint32Array.from({ length: this.seriesCount }, (_, i) => i)
    return this.#all
  }

  label(name: string): LabelValues | undefined {
    return this.#labels.get(name)
  }

  labelNames(): string[] {
    return [...this.#labels.keys()]
  }

  valueIndexOf(series: number, name: string): number {
    const label = this.#labels.get(name)
    if (label === undefined) return -1
    for (let i = this.pairOffsets[series]; i < this.pairOffsets[series + 1]; i += 2) {
      if (this.pairs[i] === label.symbol) return label.indexOfSymbol(this.pairs[i + 1])
    }
    return -1
  }

  /** The encoded time columns, and where each begins; one more than there are. */
  get times(): Uint8Array {
    return this.#times
  }

  get timeOffsets(): Uint32Array {
    return this.#timeOffsets
  }

  /** Fills `out` with a time column's timestamps. @throws {CodecError} never for a section that passed its checksum. */
  readTimes(timeColumn: number, out: Float64Array, outAt: number): number {
    const known = decodedTimes.read(this.#timesOwner, timeColumn, out, outAt)
    if (known > 0) return known
    const start = this.#timeOffsets[timeColumn]
    const count = decodeSealedTimestamps(this.#times, start, this.#timeOffsets[timeColumn + 1], out, outAt)
    decodedTimes.keep(this.#timesOwner, timeColumn, out, outAt, count)
    return count
  }

  #readLabels(parts: IndexParts): void {
    const where = parts.where('Postings')
    const from = new ByteCursor(parts.postings, where)
    const nameCount = from.count(3)
    for (let i = 0; i < nameCount; i++) {
      const symbol = from.varint()
      const valueCount = from.varint()
      const body = from.take(from.varint())
      if (symbol >= this.#symbols.count) throw from.corrupt(`symbol ${symbol} of ${this.#symbols.count}`)
      this.#labels.set(
        this.#symbols.text(symbol),
        new BlockLabel(symbol, valueCount, body, this.#symbols, this.seriesCount, where),
      )
    }
    from.end()
  }
}

/** Texts of a block, sorted; strings are made when they are asked for. */
class BlockSymbols {
  readonly count: number
  readonly #bytes: Uint8Array
  readonly #offsets: Uint32Array
  readonly #texts: (string | undefined)[] = []

  constructor(section: Uint8Array, where: string) {
    const from = new ByteCursor(section, where)
    this.count = from.count(1)
    this.#offsets = new Uint32Array(this.count + 1)
    for (let i = 0; i < this.count; i++) this.#offsets[i + 1] = this.#offsets[i] + from.varint()
    this.#bytes = from.take(this.#offsets[this.count])
    from.end()
  }

  get sizeBytes(): number {
    return this.#bytes.length * 2 + this.#offsets.byteLength + this.count * 16
  }

  text(symbol: number): string {
    return (this.#texts[symbol] ??= decoder.decode(
      this.#bytes.subarray(this.#offsets[symbol], this.#offsets[symbol + 1]),
    ))
  }
}

/** The values of one label name: symbols rise, so texts are sorted. */
class BlockLabel implements LabelValues {
  readonly symbol: number
  readonly count: number
  readonly #body: Uint8Array
  readonly #symbols: BlockSymbols
  readonly #seriesCount: number
  readonly #where: string
  #valueSymbols: Uint32Array | undefined
  #listOffsets: Uint32Array = new Uint32Array(0)
  readonly #lists = new Map<number, Uint32Array>()
  /** Places of the values asked for before. */
  readonly #found = new Map<string, number>()

  constructor(
    symbol: number,
    count: number,
    body: Uint8Array,
    symbols: BlockSymbols,
    seriesCount: number,
    where: string,
  ) {
    this.symbol = symbol
    this.count = count
    this.#body = body
    this.#symbols = symbols
    this.#seriesCount = seriesCount
    this.#where = where
  }

  text(valueIndex: number): string {
    return this.#symbols.text(this.#values()[valueIndex])
  }

  find(text: string): number {
    const known = this.#found.get(text)
    if (known !== undefined) return known
    const place = this.#search(text)
    if (this.#found.size < FOUND_MAX) this.#found.set(text, place)
    return place
  }

  #search(text: string): number {
    const values = this.#values()
    let low = 0
    let high = values.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const order = compareUtf8(this.#symbols.text(values[middle]), text)
      if (order === 0) return middle
      if (order < 0) low = middle + 1
      else high = middle - 1
    }
    return -1
  }

  prefixRange(prefix: string): readonly [number, number] {
    if (prefix === '') return [0, this.count]
    const starts = (place: number) => this.text(place).startsWith(prefix)
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareUtf8(this.text(middle), prefix) < 0) low = middle + 1
      else high = middle
    }
    const first = low
    high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (starts(middle)) low = middle + 1
      else high = middle
    }
    return [first, low]
  }

  indexOfSymbol(symbol: number): number {
    const values = this.#values()
    let low = 0
    let high = values.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      if (values[middle] === symbol) return middle
      if (values[middle] < symbol) low = middle + 1
      else high = middle - 1
    }
    return -1
  }

  seriesCount(valueIndex: number): number {
    this.#values()
    const from = new ByteCursor(this.#body, this.#where)
    from.at = this.#listOffsets[valueIndex] + 1
    return from.varint()
  }

  postings(valueIndex: number): Uint32Array {
    const known = this.#lists.get(valueIndex)
    if (known !== undefined) return known
    this.#values()
    const from = new ByteCursor(this.#body, this.#where)
    from.at = this.#listOffsets[valueIndex]
    const list = this.#seriesCount === 0 ? EMPTY_POSTINGS : readPostings(from, this.#seriesCount)
    // The hot ones only: a label with a value for each series would otherwise fill memory with tiny lists.
    if (this.#lists.size < 1024) this.#lists.set(valueIndex, list)
    return list
  }

  #values(): Uint32Array {
    if (this.#valueSymbols !== undefined) return this.#valueSymbols
    const from = new ByteCursor(this.#body, this.#where)
    const symbols = new Uint32Array(this.count)
    this.#listOffsets = new Uint32Array(this.count)
    let symbol = 0
    for (let i = 0; i < this.count; i++) {
      symbol += from.varint()
      if (symbol >= this.#symbols.count) throw from.corrupt(`symbol ${symbol} of ${this.#symbols.count}`)
      symbols[i] = symbol
      const size = from.varint()
      this.#listOffsets[i] = from.at
      from.take(size)
    }
    from.end()
    this.#valueSymbols = symbols
    return symbols
  }
}

interface DecodedSeries {
  readonly pairs: Uint32Array
  readonly pairOffsets: Uint32Array
}

interface DecodedChunks {
  readonly chunkOffsets: Uint32Array
  readonly chunkTimeColumns: Uint32Array
  readonly chunkEnds: Float64Array
  readonly chunkStartSizes: Uint32Array
  readonly chunkColumns: Uint8Array | undefined
}

interface DecodedTimes {
  readonly timeOffsets: Uint32Array
  readonly timeCounts: Uint32Array
  readonly timeFirstMs: Float64Array
  readonly timeLastMs: Float64Array
}

async function decodeSeries(
  parts: IndexParts,
  symbolCount: number,
  pause: () => Promise<void> | undefined,
): Promise<DecodedSeries> {
  const from = new ByteCursor(parts.series, parts.where('Series'))
  const seriesCount = from.count(2)
  if (seriesCount !== parts.footer.seriesCount) {
    throw from.corrupt(`${seriesCount} series, the footer has ${parts.footer.seriesCount}`)
  }
  const pairOffsets = new Uint32Array(seriesCount + 1)
  let pairs: Uint32Array = new Uint32Array(Math.min(seriesCount * 20, 1 << 20))
  let at = 0
  for (let series = 0; series < seriesCount; series++) {
    const shared = from.varint() * 2
    const rest = from.count(2) * 2
    const before = series === 0 ? 0 : pairOffsets[series - 1]
    if (shared > at - before) throw from.corrupt(`series ${series} shares ${shared / 2} labels with one of fewer`)
    pairs = grownU32(pairs, at + shared + rest)
    pairs.copyWithin(at, before, before + shared)
    at += shared
    for (const end = at + rest; at < end; at++) {
      const symbol = from.varint()
      if (symbol >= symbolCount) throw from.corrupt(`symbol ${symbol} of ${symbolCount}`)
      pairs[at] = symbol
    }
    pairOffsets[series + 1] = at
    if (series % SERIES_PER_PAUSE === 0) await pause()
  }
  from.end()
  return { pairs: pairs.slice(0, at), pairOffsets }
}

async function decodeChunks(
  parts: IndexParts,
  seriesCount: number,
  pause: () => Promise<void> | undefined,
): Promise<DecodedChunks> {
  const from = new ByteCursor(parts.chunks, parts.where('Chunks'))
  const { chunkCount, timeColumnCount, flags } = parts.footer
  if (chunkCount * 3 > parts.chunks.length) throw from.corrupt(`${chunkCount} chunks in ${parts.chunks.length} bytes`)
  const chunkOffsets = new Uint32Array(seriesCount + 1)
  const chunkTimeColumns = new Uint32Array(chunkCount)
  const chunkEnds = new Float64Array(chunkCount)
  const chunkStartSizes = new Uint32Array(chunkCount)
  const chunkColumns = flags & HAS_COLUMNS ? new Uint8Array(chunkCount) : undefined
  let chunk = 0
  let timeColumn = 0
  let end = 0
  for (let series = 0; series < seriesCount; series++) {
    const count = from.varint()
    if (count > chunkCount - chunk)
      throw from.corrupt(`${count} chunks of series ${series}, ${chunkCount - chunk} left`)
    for (const stop = chunk + count; chunk < stop; chunk++) {
      if (chunkColumns !== undefined) chunkColumns[chunk] = from.u8()
      timeColumn += from.signedVarint()
      if (timeColumn < 0 || timeColumn >= timeColumnCount) {
        throw from.corrupt(`time column ${timeColumn} of ${timeColumnCount}`)
      }
      chunkTimeColumns[chunk] = timeColumn
      const valuesSize = from.varint()
      const startsSize = from.varint()
      end += valuesSize + startsSize
      chunkEnds[chunk] = end
      chunkStartSizes[chunk] = startsSize
    }
    chunkOffsets[series + 1] = chunk
    if (series % SERIES_PER_PAUSE === 0) await pause()
  }
  if (chunk !== chunkCount) throw from.corrupt(`${chunk} chunks, the footer has ${chunkCount}`)
  from.end()
  return { chunkOffsets, chunkTimeColumns, chunkEnds, chunkStartSizes, chunkColumns }
}

function decodeTimes(parts: IndexParts): DecodedTimes {
  const from = new ByteCursor(parts.timeDirectory, parts.where('TimeDirectory'))
  const count = parts.footer.timeColumnCount
  if (count * 4 > parts.timeDirectory.length) {
    throw from.corrupt(`${count} time columns in ${parts.timeDirectory.length} bytes`)
  }
  const timeOffsets = new Uint32Array(count + 1)
  const timeCounts = new Uint32Array(count)
  const timeFirstMs = new Float64Array(count)
  const timeLastMs = new Float64Array(count)
  for (let column = 0; column < count; column++) {
    timeOffsets[column + 1] = timeOffsets[column] + from.varint()
    timeCounts[column] = from.varint()
    timeFirstMs[column] = from.varint()
    timeLastMs[column] = timeFirstMs[column] + from.varint()
  }
  if (timeOffsets[count] !== parts.times.length) {
    throw from.corrupt(`time columns of ${timeOffsets[count]} bytes in all, there are ${parts.times.length}`)
  }
  from.end()
  return { timeOffsets, timeCounts, timeFirstMs, timeLastMs }
}
