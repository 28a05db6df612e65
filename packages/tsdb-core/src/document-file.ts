/**
 * Small documents that no person edits: a msgpack map under a magic number, a version and a checksum, replaced whole.
 *
 *     0  8 B  magic "VARVEDOC"     8  u32  kind's version     12  u32  CRC32C of the body, seeded by the kind     16  body
 *
 * Page: docs/formats/manifest.md.
 */
import { crc32c } from '@varve/gorilla-codec'
import { pack, unpack } from 'msgpackr'
import { FileError, type FileSystem } from './env/file-system.js'
import { StorageError } from './errors.js'

const MAGIC = Uint8Array.of(0x56, 0x41, 0x52, 0x56, 0x45, 0x44, 0x4f, 0x43)
const HEADER_SIZE_BYTES = 16

/** Writes the document durably; a crash leaves the old one or the new one. */
export async function writeDocument(
  files: FileSystem,
  path: string,
  kind: string,
  version: number,
  content: unknown,
): Promise<void> {
  const body = pack(content)
  const bytes = new Uint8Array(HEADER_SIZE_BYTES + body.length)
  const view = new DataView(bytes.buffer)
  bytes.set(MAGIC)
  view.setUint32(8, version, true)
  view.setUint32(12, crc32c(body, 0, body.length, seedOf(kind, version)), true)
  bytes.set(body, HEADER_SIZE_BYTES)
  const temporary = `${path}.tmp`
  if ((await files.stat(temporary)) !== null) await files.remove(temporary)
  const file = await files.open(temporary, 'create')
  try {
    await file.write(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await files.rename(temporary, path)
  await files.syncDirectory(path.slice(0, path.lastIndexOf('/')) || '/')
}

/**
 * The document's content, or `undefined` when there is no such file.
 *
 * @throws {StorageError} `CORRUPT` with path and offset; a version that is not `version` is refused.
 */
export async function readDocument(files: FileSystem, path: string, kind: string, version: number): Promise<unknown> {
  const bytes = await readFile(files, path)
  if (bytes === undefined) return undefined
  const corrupt = (at: number, what: string) => new StorageError('CORRUPT', `${path} at byte ${at}: ${what}`)
  if (bytes.length < HEADER_SIZE_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw corrupt(0, `no ${kind}: the magic number is missing`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  if (view.getUint32(8, true) !== version) {
    throw corrupt(8, `${kind} of version ${view.getUint32(8, true)}, expected ${version}`)
  }
  const checksum = crc32c(bytes, HEADER_SIZE_BYTES, bytes.length, seedOf(kind, version))
  if (checksum !== view.getUint32(12, true)) {
    throw corrupt(12, `${kind}: checksum is ${checksum}, expected ${view.getUint32(12, true)}`)
  }
  return unpack(bytes.subarray(HEADER_SIZE_BYTES))
}

async function readFile(files: FileSystem, path: string): Promise<Uint8Array | undefined> {
  let file: Awaited<ReturnType<FileSystem['open']>>
  try {
    file = await files.open(path, 'read')
  } catch (error) {
    if (error instanceof FileError && error.code === 'NOT_FOUND') return undefined
    throw error
  }
  try {
    const bytes = new Uint8Array(await file.size())
    await file.read(bytes, 0)
    return bytes
  } finally {
    await file.close()
  }
}

function seedOf(kind: string, version: number): number {
  const bytes = new TextEncoder().encode(`${kind} ${version}`)
  return crc32c(bytes, 0, bytes.length)
}
