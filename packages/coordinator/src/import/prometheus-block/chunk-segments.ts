/** The files in a Prometheus block's `chunks/`: one whole segment is held at a time, since an index walks them in order. */
import type { File, FileSystem } from '@varve/tsdb-core/env'
import { Cursor } from './bytes.js'
import { CHUNKS_MAGIC, CHUNKS_VERSION } from './format.js'
import { ImportError } from './import-error.js'

export interface EncodedChunk {
  readonly encoding: number
  /** A view of the segment: valid until the next chunk is asked for. */
  readonly data: Uint8Array
}

export class ChunkSegments {
  readonly #files: FileSystem
  readonly #folder: string
  readonly #names: readonly string[]
  #current = -1
  #bytes: Uint8Array = new Uint8Array()

  private constructor(files: FileSystem, folder: string, names: readonly string[]) {
    this.#files = files
    this.#folder = folder
    this.#names = names
  }

  static async open(files: FileSystem, folder: string): Promise<ChunkSegments> {
    const names = (await files.list(folder)).filter((name) => /^\d+$/.test(name))
    return new ChunkSegments(files, folder, names)
  }

  /** @throws {ImportError} `CORRUPT` naming file and offset; `NOT_FOUND` for a segment that is not there. */
  async read(segment: number, offset: number): Promise<EncodedChunk> {
    const name = this.#names[segment]
    if (name === undefined) {
      throw new ImportError(
        'NOT_FOUND',
        `${this.#folder}: the index names segment ${segment}, there are ${this.#names.length}`,
      )
    }
    const path = `${this.#folder}/${name}`
    if (segment !== this.#current) {
      this.#bytes = await readWhole(this.#files, path)
      this.#current = segment
      checkHeader(path, this.#bytes)
    }
    const cursor = new Cursor(path, this.#bytes, offset)
    const size = cursor.uvarint()
    const start = cursor.offset
    const encoding = cursor.u8()
    const dataStart = cursor.skip(size)
    cursor.expectChecksum(start)
    return { encoding, data: this.#bytes.subarray(dataStart, dataStart + size) }
  }
}

function checkHeader(path: string, bytes: Uint8Array): void {
  const cursor = new Cursor(path, bytes)
  const magic = cursor.u32()
  if (magic !== CHUNKS_MAGIC)
    throw cursor.corrupt(`this is no chunk segment: it starts with 0x${magic.toString(16)}`, 0)
  const version = cursor.u8()
  if (version !== CHUNKS_VERSION) {
    throw new ImportError('UNSUPPORTED', `${path}: chunk segment version ${version}; known is ${CHUNKS_VERSION}`)
  }
}

export async function readWhole(files: FileSystem, path: string): Promise<Uint8Array> {
  const file: File = await files.open(path, 'read')
  try {
    const bytes = new Uint8Array(await file.size())
    let filled = 0
    while (filled < bytes.length) {
      const count = await file.read(bytes.subarray(filled), filled)
      if (count === 0)
        throw new ImportError('CORRUPT', `${path}: ended at byte ${filled}, ${bytes.length} were expected`)
      filled += count
    }
    return bytes
  } finally {
    await file.close()
  }
}
