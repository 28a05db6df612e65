/** Reads a Prometheus index: symbols, and then the series one after the other. */
import { Labels } from '@varve/tsdb-core/model'
import { Cursor } from './bytes.js'
import { INDEX_HEADER_SIZE, INDEX_MAGIC, INDEX_TOC_SIZE, INDEX_VERSIONS, SERIES_ALIGNMENT } from './format.js'
import { ImportError } from './import-error.js'

export interface IndexedSeries {
  /** What the tombstones file calls the series. */
  readonly id: number
  readonly labels: Labels
  readonly chunks: readonly ChunkReference[]
}

export interface ChunkReference {
  readonly firstMs: number
  readonly lastMs: number
  /** Index of the file in `chunks/`, sorted by name. */
  readonly segment: number
  readonly offset: number
}

interface Sections {
  readonly symbols: number
  readonly series: number
  /** Where the section after the series starts. */
  readonly seriesEnd: number
}

/**
 * The series of one index in the order of the file, which is that of their labels.
 *
 * @throws {ImportError} `CORRUPT` with the offset, `UNSUPPORTED` for another version.
 */
export function* readIndex(file: string, bytes: Uint8Array): Generator<IndexedSeries> {
  const version = readHeader(file, bytes)
  const sections = readSections(file, bytes)
  const symbols = readSymbols(file, bytes, sections.symbols)
  const cursor = new Cursor(file, bytes, sections.series, sections.seriesEnd)
  for (;;) {
    const aligned = Math.ceil(cursor.offset / SERIES_ALIGNMENT) * SERIES_ALIGNMENT
    // What is left before the next section is padding.
    if (aligned >= sections.seriesEnd) return
    cursor.offset = aligned
    const size = cursor.uvarint()
    if (size === 0) return
    const start = cursor.offset
    cursor.skip(size)
    cursor.expectChecksum(start)
    // A version 1 index names a symbol by its offset in the file, and a series by its own offset.
    const id = version === 1 ? aligned : aligned / SERIES_ALIGNMENT
    yield readSeries(new Cursor(file, bytes, start, start + size), id, symbols)
  }
}

function readHeader(file: string, bytes: Uint8Array): number {
  const cursor = new Cursor(file, bytes)
  const magic = cursor.u32()
  if (magic !== INDEX_MAGIC)
    throw cursor.corrupt(`this is no Prometheus index: it starts with 0x${magic.toString(16)}`, 0)
  const version = cursor.u8()
  if (!INDEX_VERSIONS.includes(version)) {
    throw new ImportError('UNSUPPORTED', `${file}: index version ${version}; known are ${INDEX_VERSIONS.join(', ')}`)
  }
  return version
}

function readSections(file: string, bytes: Uint8Array): Sections {
  if (bytes.length < INDEX_HEADER_SIZE + INDEX_TOC_SIZE) {
    throw new ImportError('CORRUPT', `${file}: ${bytes.length} bytes are too few for an index`)
  }
  const toc = bytes.length - INDEX_TOC_SIZE
  const cursor = new Cursor(file, bytes, toc)
  const offsets = Array.from({ length: 6 }, () => cursor.u64())
  cursor.expectChecksum(toc)
  const [symbols, series] = offsets
  if (symbols === 0 || series === 0) throw cursor.corrupt('the table of contents has no symbols or no series', toc)
  const seriesEnd = Math.min(toc, ...offsets.filter((offset) => offset > series))
  return { symbols, series, seriesEnd }
}

/** Text by what the series call it: its number in a version 2 index, its offset in a version 1 index. */
function readSymbols(file: string, bytes: Uint8Array, offset: number): Map<number, string> {
  const version = bytes[4]
  const head = new Cursor(file, bytes, offset)
  const size = head.u32()
  const start = head.offset
  head.skip(size)
  head.expectChecksum(start)
  const cursor = new Cursor(file, bytes, start, start + size)
  const count = cursor.u32()
  const symbols = new Map<number, string>()
  for (let i = 0; i < count; i++) {
    const reference = version === 1 ? cursor.offset : i
    symbols.set(reference, cursor.text())
  }
  return symbols
}

function readSeries(cursor: Cursor, id: number, symbols: ReadonlyMap<number, string>): IndexedSeries {
  const symbol = () => {
    const at = cursor.offset
    const reference = cursor.uvarint()
    const text = symbols.get(reference)
    if (text === undefined) throw cursor.corrupt(`there is no symbol ${reference}`, at)
    return text
  }
  const pairs: [string, string][] = []
  const labelCount = cursor.uvarint()
  for (let i = 0; i < labelCount; i++) pairs.push([symbol(), symbol()])
  const chunks: ChunkReference[] = []
  const chunkCount = cursor.uvarint()
  let lastMs = 0
  let reference = 0n
  for (let i = 0; i < chunkCount; i++) {
    const firstMs = i === 0 ? cursor.varint() : lastMs + cursor.uvarint()
    lastMs = firstMs + cursor.uvarint()
    reference = i === 0 ? cursor.uvarint64() : reference + cursor.varint64()
    chunks.push({ firstMs, lastMs, segment: Number(reference >> 32n), offset: Number(reference & 0xffffffffn) })
  }
  return { id, labels: Labels.from(pairs), chunks }
}
