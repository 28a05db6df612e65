/**
 * What a namespace has on disk, in one document that is replaced whole. Page: docs/formats/manifest.md.
 *
 * A block file exists for readers once it stands here; a file that does not is left over from a crash.
 */

import { readDocument, writeDocument } from './document-file.js'
import type { FileSystem } from './env/file-system.js'
import { StorageError } from './errors.js'
import type { Matcher } from './model/matcher.js'
import type { NamespaceOptions } from './options.js'

const VERSION = 1

export interface Manifest {
  /** The namespace's number in the commit log; drawn when it was made, never used for another. */
  readonly id: number
  readonly options: NamespaceOptions
  /** The next block gets this generation. */
  readonly nextGeneration: number
  readonly blocks: readonly ManifestBlock[]
  /** Samples of these blocks that stand in earlier segments of the commit log are in sealed blocks. */
  readonly sealedWindows: readonly SealedWindow[]
}

export interface ManifestBlock {
  readonly shard: number
  readonly fileName: string
  readonly startMs: number
  readonly endMs: number
  readonly generation: number
  readonly sizeBytes: number
  readonly digest: string
  readonly seriesCount: number
  readonly sampleCount: number
  readonly firstMs: number
  readonly lastMs: number
  /** Deleted since the file was written; they go with the next merge. */
  readonly deletions: readonly Deletion[]
}

export interface Deletion {
  readonly matchers: readonly Matcher[]
  readonly startMs: number
  readonly endMs: number
}

export interface SealedWindow {
  readonly shard: number
  readonly startMs: number
  readonly segment: number
}

export function manifestPath(directory: string): string {
  return `${directory}/manifest`
}

/** A second file with the same content: a damaged manifest must not bring deleted samples back. */
export function manifestCopyPath(directory: string): string {
  return `${directory}/manifest.copy`
}

/** The manifest counts; its copy follows. */
export async function writeManifest(files: FileSystem, directory: string, manifest: Manifest): Promise<void> {
  await writeDocument(files, manifestPath(directory), kindIn(directory), VERSION, manifest)
  await writeDocument(files, manifestCopyPath(directory), kindIn(directory), VERSION, manifest)
}

export interface FoundManifest {
  readonly manifest: Manifest
  /** What is wrong with one of the two files; the other one is good. */
  readonly damage: string | undefined
  /** Both files say the same. */
  readonly isWhole: boolean
}

/**
 * `undefined` when neither file is there.
 *
 * @throws {StorageError} `CORRUPT` when neither can be read.
 */
export async function readManifest(files: FileSystem, directory: string): Promise<FoundManifest | undefined> {
  const first = await readOne(files, directory, manifestPath(directory))
  const copy = await readOne(files, directory, manifestCopyPath(directory))
  const damage = first.damage ?? copy.damage
  const manifest = first.manifest ?? copy.manifest
  if (manifest === undefined) {
    if (damage !== undefined) throw damage
    return undefined
  }
  const isWhole = damage === undefined && JSON.stringify(first.manifest) === JSON.stringify(copy.manifest)
  return { manifest, damage: damage?.message, isWhole }
}

async function readOne(
  files: FileSystem,
  directory: string,
  path: string,
): Promise<{ manifest?: Manifest; damage?: StorageError }> {
  try {
    const manifest = (await readDocument(files, path, kindIn(directory), VERSION)) as Manifest | undefined
    if (manifest === undefined) return {}
    if (!Number.isInteger(manifest?.id) || !Array.isArray(manifest.blocks) || !Array.isArray(manifest.sealedWindows)) {
      throw new StorageError('CORRUPT', `${path}: the manifest has not the fields of version ${VERSION}`)
    }
    return { manifest }
  } catch (error) {
    if (error instanceof StorageError && error.code === 'CORRUPT') return { damage: error }
    throw error
  }
}

/** With the namespace's name, which the checksum covers: another namespace's manifest does not pass for this one's. */
function kindIn(directory: string): string {
  return `manifest of ${directory.slice(directory.lastIndexOf('/') + 1)}`
}
