/** Whole files through `FileSystem`: read at once, replaced atomically. */
import { FileError, type FileSystem } from '@varve/tsdb-core/env'

/** `null` when there is no such file. */
export async function readWholeFile(files: FileSystem, path: string): Promise<Uint8Array | null> {
  try {
    const file = await files.open(path, 'read')
    try {
      const bytes = new Uint8Array(await file.size())
      const length = bytes.length === 0 ? 0 : await file.read(bytes, 0)
      return bytes.subarray(0, length)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof FileError && error.code === 'NOT_FOUND') return null
    throw error
  }
}

/** After a crash the name shows the old content or the new one; once resolved, the new one. */
export async function replaceWholeFile(files: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`
  await files.remove(temporary).catch((error: unknown) => {
    if (!(error instanceof FileError && error.code === 'NOT_FOUND')) throw error
  })
  const file = await files.open(temporary, 'create')
  try {
    await file.write(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await files.rename(temporary, path)
  await files.syncDirectory(folderOf(path))
}

export function folderOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')))
}
