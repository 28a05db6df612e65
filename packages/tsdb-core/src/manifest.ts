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

const KIND = 'manifest'
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

export async function writeManifest(files: FileSystem, directory: string, manifest: Manifest): Promise<void> {
  await writeDocument(files, manifestPath(directory), KIND, VERSION, manifest)
}

/** @throws {StorageError} `CORRUPT` when it cannot be read. */
export async function readManifest(files: FileSystem, directory: string): Promise<Manifest | undefined> {
  const path = manifestPath(directory)
  const content = await readDocument(files, path, KIND, VERSION)
  if (content === undefined) return undefined
  const manifest = content as Manifest
  if (!Number.isInteger(manifest?.id) || !Array.isArray(manifest.blocks) || !Array.isArray(manifest.sealedWindows)) {
    throw new StorageError('CORRUPT', `${path}: the manifest has not the fields of version ${VERSION}`)
  }
  return manifest
}
