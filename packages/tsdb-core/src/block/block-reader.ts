/**
 * Reads one block file: header and footer when it is opened, the sections of the index when they are first needed, value
 * columns in pages on demand.
 *
 * Everything is checked before it is believed. A damaged value column costs its samples, a damaged section the block; both
 * are named and the rest is served. Bytes: docs/formats/block.md. Writer: block-writer.ts.
 */
import { CodecError, crc32c, verifySealedColumn } from '@varve/gorilla-codec'
import type { File, FileSystem } from '../env/file-system.js'
import { StorageError } from '../errors.js'
import type { MatchCache } from '../index/match-cache.js'
import { BlockIndex } from './block-index.js'
import { ByteCursor } from './byte-cursor.js'
import {
  BLOCK_MAGIC,
  BLOCK_VERSION,
  type BlockIdentity,
  columnMask,
  HEADER_SIZE_BYTES,
  identitySeed,
  maskColumn,
  Section,
  STORED_LZ4,
  STORED_PLAIN,
  sectionSeed,
  TRAILER_SIZE_BYTES,
} from './format.js'
import { HistogramRuns } from './histogram-runs.js'
import { lz4Decompress } from './lz4.js'

const SECTION_NAMES = new Map<number, string>(Object.entries(Section).map(([name, number]) => [number, name]))
/** A section is refused beyond this before memory is taken for it. */
const SECTION_SIZE_BYTES_MAX = 1024 ** 3

export interface BlockFooter {
  readonly flags: number
  readonly seriesCount: number
  readonly sampleCount: number
  readonly timeColumnCount: number
  readonly chunkCount: number
  readonly histogramSeriesCount: number
  readonly firstMs: number
  readonly lastMs: number
  readonly digest: string
  readonly sections: ReadonlyMap<number, BlockSection>
  readonly fileSizeBytes: number
}

export interface BlockSection {
  readonly form: number
  readonly offset: number
  readonly storedSize: number
  readonly plainSize: number
  readonly checksum: number
}

export class BlockReader {
  readonly path: string
  readonly identity: BlockIdentity
  readonly footer: BlockFooter
  readonly #file: File
  readonly #seed: number

  private constructor(path: string, identity: BlockIdentity, footer: BlockFooter, file: File) {
    this.path = path
    this.identity = identity
    this.footer = footer
    this.#file = file
    this.#seed = identitySeed(identity)
  }

  /** @throws {StorageError} `CORRUPT` naming file, offset, what was found and what was wanted. */
  static async open(files: FileSystem, path: string, identity: BlockIdentity): Promise<BlockReader> {
    const file = await files.open(path, 'read')
    try {
      const footer = await readFooter(file, path, identity)
      return new BlockReader(path, identity, footer, file)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  /** The series, labels and postings, decoded. Takes memory in proportion to the series. */
  async readIndex(pause: () => Promise<void> | undefined, matches?: MatchCache): Promise<BlockIndex> {
    const parts = {
      footer: this.footer,
      times: await this.#section(Section.TimeColumns),
      timeDirectory: await this.#section(Section.TimeDirectory),
      symbols: await this.#section(Section.Symbols),
      series: await this.#section(Section.Series),
      chunks: await this.#section(Section.Chunks),
      postings: await this.#section(Section.Postings),
      where: (section: string) => `${this.path}: section ${section}`,
    }
    return BlockIndex.decode(parts, pause, matches)
  }

  /** The native histograms, still encoded. */
  async readHistograms(): Promise<HistogramRuns> {
    const bytes = await this.#section(Section.Histograms)
    const from = new ByteCursor(bytes, `${this.path}: section Histograms`)
    try {
      return HistogramRuns.read(from, this.footer.histogramSeriesCount)
    } catch (error) {
      if (error instanceof CodecError) throw from.corrupt(error.message)
      throw error
    }
  }

  /**
   * Reads the value columns that end at `ends` (offsets in the values section, rising; the first begins at `start`), and
   * unmasks them. `damaged` is told the place in `ends` of each that does not check.
   */
  async readColumns(
    start: number,
    ends: ArrayLike<number>,
    first: number,
    last: number,
    damaged: (place: number, message: string) => void,
  ): Promise<Uint8Array> {
    const end = ends[last - 1]
    const bytes = new Uint8Array(end - start)
    const offset = HEADER_SIZE_BYTES + start
    const read = await this.#file.read(bytes, offset)
    let from = 0
    for (let place = first; place < last; place++) {
      const to = ends[place] - start
      const at = offset + from
      if (to > read)
        damaged(
          place,
          `${this.path} at byte ${at}: a value column that ends at ${offset + to}, behind the end of the file`,
        )
      else if (to - from < 4) damaged(place, `${this.path} at byte ${at}: a value column of ${to - from} bytes`)
      else {
        maskColumn(bytes, to, columnMask(this.#seed, start + from))
        const problem = columnProblem(bytes, from, to)
        if (problem !== undefined) damaged(place, `${this.path} at byte ${at}: value column: ${problem}`)
      }
      from = to
    }
    return bytes
  }

  /** Checks every byte of the file; returns what is wrong, each with file and offset. */
  async verify(): Promise<string[]> {
    const problems: string[] = []
    const { sections } = this.footer
    for (const number of sections.keys()) {
      if (number === Section.Values) continue
      await this.#section(number).catch((error: unknown) => problems.push(messageOf(error)))
    }
    const values = sections.get(Section.Values)
    if (values !== undefined) await this.#verifyValues(values, problems)
    if (problems.length === 0) {
      await this.readIndex(() => undefined).catch((error: unknown) => problems.push(messageOf(error)))
      if (this.footer.histogramSeriesCount > 0) {
        await this.#verifyHistograms().catch((error: unknown) => problems.push(messageOf(error)))
      }
    }
    return problems
  }

  async #verifyHistograms(): Promise<void> {
    const runs = await this.readHistograms()
    runs.verify()
  }

  async #verifyValues(values: BlockSection, problems: string[]): Promise<void> {
    const buffer = new Uint8Array(1024 * 1024)
    let checksum = sectionSeed(this.#seed, Section.Values)
    for (let at = 0; at < values.storedSize; ) {
      const wanted = Math.min(buffer.length, values.storedSize - at)
      const read = await this.#file.read(buffer.subarray(0, wanted), values.offset + at)
      if (read === 0) break
      checksum = crc32c(buffer, 0, read, checksum)
      at += read
    }
    if (checksum !== values.checksum) {
      problems.push(
        `${this.path} at byte ${values.offset}: section Values: checksum is ${hex(checksum)}, expected ${hex(values.checksum)}`,
      )
    }
  }

  async #section(number: number): Promise<Uint8Array> {
    const name = SECTION_NAMES.get(number)
    const section = this.footer.sections.get(number)
    if (section === undefined) throw new StorageError('CORRUPT', `${this.path}: section ${name} is missing`)
    const bytes = new Uint8Array(section.storedSize)
    const read = await this.#file.read(bytes, section.offset)
    const where = `${this.path} at byte ${section.offset}: section ${name}`
    if (read !== bytes.length) throw new StorageError('CORRUPT', `${where}: ${read} bytes, expected ${bytes.length}`)
    const checksum = crc32c(bytes, 0, bytes.length, sectionSeed(this.#seed, number))
    if (checksum !== section.checksum) {
      throw new StorageError('CORRUPT', `${where}: checksum is ${hex(checksum)}, expected ${hex(section.checksum)}`)
    }
    return section.form === STORED_LZ4 ? lz4Decompress(bytes, section.plainSize) : bytes
  }
}

function columnProblem(bytes: Uint8Array, from: number, to: number): string | undefined {
  try {
    verifySealedColumn(bytes, from, to)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

async function readFooter(file: File, path: string, identity: BlockIdentity): Promise<BlockFooter> {
  const seed = identitySeed(identity)
  const fileSizeBytes = await file.size()
  const corrupt = (at: number, what: string) => new StorageError('CORRUPT', `${path} at byte ${at}: ${what}`)
  if (fileSizeBytes < HEADER_SIZE_BYTES + TRAILER_SIZE_BYTES)
    throw corrupt(0, `${fileSizeBytes} bytes are no block file`)
  const header = await readWhole(file, 0, HEADER_SIZE_BYTES)
  if (!startsWith(header, 0, BLOCK_MAGIC)) throw corrupt(0, 'no block file: the magic number is missing')
  const version = new DataView(header.buffer).getUint32(8, true)
  if (version !== BLOCK_VERSION) throw corrupt(8, `version ${version}, expected ${BLOCK_VERSION}`)
  checkSum(header, 0, 60, 60, seed, path, 'header')
  const trailerAt = fileSizeBytes - TRAILER_SIZE_BYTES
  const trailer = await readWhole(file, trailerAt, TRAILER_SIZE_BYTES)
  if (!startsWith(trailer, 24, BLOCK_MAGIC))
    throw corrupt(trailerAt + 24, 'the file is cut off: the last magic number is missing')
  checkSum(trailer, trailerAt, 20, 20, seed, path, 'trailer')
  const view = new DataView(trailer.buffer)
  const footerAt = view.getFloat64(0, true)
  const footerSize = view.getUint32(8, true)
  if (footerAt + footerSize !== trailerAt) throw corrupt(trailerAt, `a footer of ${footerSize} bytes at ${footerAt}`)
  const footer = await readWhole(file, footerAt, footerSize)
  const checksum = crc32c(footer, 0, footer.length, seed)
  if (checksum !== view.getUint32(12, true)) {
    throw corrupt(footerAt, `footer: checksum is ${hex(checksum)}, expected ${hex(view.getUint32(12, true))}`)
  }
  return decodeFooter(footer, path, footerAt, fileSizeBytes)
}

function decodeFooter(bytes: Uint8Array, path: string, footerAt: number, fileSizeBytes: number): BlockFooter {
  const from = new ByteCursor(bytes, `${path}: footer`)
  const flags = from.varint()
  const seriesCount = from.varint()
  const sampleCount = from.varint()
  const timeColumnCount = from.varint()
  const chunkCount = from.varint()
  const histogramSeriesCount = from.varint()
  const firstMs = from.varint()
  const lastMs = from.varint()
  const digest = Buffer.from(from.take(16)).toString('hex')
  const sections = new Map<number, BlockSection>()
  const sectionCount = from.count(6)
  for (let i = 0; i < sectionCount; i++) {
    const number = from.varint()
    const form = from.varint()
    const offset = from.varint()
    const storedSize = from.varint()
    const plainSize = from.varint()
    const checksum = from.varint()
    if (offset + storedSize > footerAt || (form !== STORED_PLAIN && form !== STORED_LZ4)) {
      throw from.corrupt(`section ${number} at ${offset} of ${storedSize} bytes in form ${form}`)
    }
    // LZ4 shortens at most 255 times, so that a lying length cannot take much more memory than the file is long.
    if (number !== Section.Values && plainSize > Math.min(SECTION_SIZE_BYTES_MAX, storedSize * 256)) {
      throw from.corrupt(`section ${number} of ${plainSize} bytes, stored as ${storedSize}`)
    }
    sections.set(number, { form, offset, storedSize, plainSize, checksum })
  }
  from.end()
  return {
    flags,
    seriesCount,
    sampleCount,
    timeColumnCount,
    chunkCount,
    histogramSeriesCount,
    firstMs,
    lastMs,
    digest,
    sections,
    fileSizeBytes,
  }
}

async function readWhole(file: File, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  // What a file lacks stays zero, and fails its checksum.
  const bytes = new Uint8Array(length)
  await file.read(bytes, offset)
  return bytes
}

function checkSum(
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
  length: number,
  place: number,
  seed: number,
  path: string,
  what: string,
): void {
  const got = crc32c(bytes, 0, length, seed)
  const wanted = new DataView(bytes.buffer, bytes.byteOffset).getUint32(place, true)
  if (got !== wanted) {
    throw new StorageError(
      'CORRUPT',
      `${path} at byte ${at}: ${what}: checksum is ${hex(got)}, expected ${hex(wanted)}`,
    )
  }
}

function startsWith(bytes: Uint8Array, at: number, magic: Uint8Array): boolean {
  return magic.every((byte, i) => bytes[at + i] === byte)
}

function hex(checksum: number): string {
  return `0x${(checksum >>> 0).toString(16).padStart(8, '0')}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
