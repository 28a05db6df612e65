/** A copy of a store in another folder: its blocks by hard links, its manifests and watermarks written anew. */
import type { BlockStore } from './block/block-store.js'
import { writeIdentity, writeWatermarks } from './data-folder.js'
import type { FileSystem } from './env/file-system.js'
import type { Watermark } from './namespace.js'

export interface SnapshotContent {
  /** By namespace. Nothing may change them meanwhile. */
  readonly stores: ReadonlyMap<string, BlockStore>
  /** None is ahead of the windows in the blocks. */
  readonly watermarks: readonly Watermark[]
}

/** Makes the folder, durable once resolved. What a crash leaves has no identity, and is no snapshot. */
export async function writeSnapshot(files: FileSystem, target: string, content: SnapshotContent): Promise<void> {
  await files.makeDirectory(`${target}/namespaces`)
  await files.makeDirectory(`${target}/state`)
  for (const [name, store] of content.stores) await store.linkTo(`${target}/namespaces/${name}`)
  await files.syncDirectory(`${target}/namespaces`)
  await writeWatermarks(files, target, content.watermarks)
  await writeIdentity(files, target)
}
