/**
 * What a restore that was cut off leaves behind, and how it is ended.
 *
 *     DIR/restoring     what is being copied; whatever ends the restore now, DIR is as it was
 *     DIR/restored      the whole of it, durable: DIR is what the snapshot says from here on
 *
 * **R1** A folder holds what it held before, or the snapshot, never some of each. *Held by* the one rename from `restoring` to
 * `restored`, and by `finishRestore`, which each opening calls first and which may be cut off anywhere and begun again.
 */
import type { FileSystem } from './env/file-system.js'

/** What a data folder is made of. All of it is staged, with or without content, so that all of it replaces. */
const PARTS = ['identity.json', 'commit-log', 'namespaces', 'state/watermarks'] as const

export function stagingPath(directory: string): string {
  return `${directory}/restoring`
}

export function restoredPath(directory: string): string {
  return `${directory}/restored`
}

/** Ends a restore that was cut off: forwards when its copy was complete, and backwards otherwise. */
export async function finishRestore(files: FileSystem, directory: string): Promise<void> {
  if ((await files.stat(stagingPath(directory))) !== null) await files.removeTree(stagingPath(directory))
  const restored = restoredPath(directory)
  if ((await files.stat(restored)) === null) return
  await files.makeDirectory(`${directory}/state`)
  for (const part of PARTS) {
    if ((await files.stat(`${restored}/${part}`)) === null) continue
    await files.removeTree(`${directory}/${part}`)
    await files.rename(`${restored}/${part}`, `${directory}/${part}`)
  }
  // The copy may go only when all of it is durable in its place.
  for (const folder of [directory, `${directory}/state`, restored, `${restored}/state`]) {
    if ((await files.stat(folder)) !== null) await files.syncDirectory(folder)
  }
  await files.removeTree(restored)
  await files.syncDirectory(directory)
}
