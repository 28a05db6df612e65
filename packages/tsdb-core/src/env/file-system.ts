/**
 * Files, as a durable store needs them: what is synced, and what is only written, are different things.
 *
 * Paths are absolute and separated by `/`. Errors are `FileError`.
 *
 * **F1** Bytes are durable once `sync` has resolved that was called after they were written.
 * **F2** A created, renamed or removed name is durable once `syncDirectory` of its folder has resolved.
 * **F3** `rename` replaces atomically: after a crash the name shows the old file or the new one.
 */
export interface FileSystem {
  /** Reads and writes an existing file, or makes it: see `mode`. */
  open(path: string, mode: OpenMode): Promise<File>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Removes a folder and all that is in it; no error when it is not there. */
  removeTree(path: string): Promise<void>
  /** Makes a second name for the same file. */
  link(existing: string, name: string): Promise<void>
  /**
   * Makes the folder and those above it, as far as they are not there. What was made is durable, and so is the folder when
   * it was there: whoever made it may have been killed before it was.
   */
  makeDirectory(path: string): Promise<void>
  /** Names in the folder, sorted; folders too. */
  list(path: string): Promise<string[]>
  /** `null` when there is nothing of that name. */
  stat(path: string): Promise<FileStat | null>
  syncDirectory(path: string): Promise<void>
  /** Free bytes for this user on the disk that holds `path`. */
  freeBytes(path: string): Promise<number>
  /** Holds the file exclusively until released or the process ends; rejects with `LOCKED` when another has it. */
  lock(path: string): Promise<FileLock>
  /** Calls `changed` some time after something in the file or folder may have changed: a hint, not the truth. */
  watch(path: string, changed: () => void): { close(): void }
}

/**
 * `read`: it exists. `create`: it must not exist yet. `append`: made if need be, writes go to its end. `append-synced`: the
 * same, and each write also syncs where the platform can do both in one call; `File.syncsWrites` says whether it does.
 */
export type OpenMode = 'read' | 'create' | 'append' | 'append-synced'

export interface File {
  /** Bytes are durable once `write` has resolved, as if `sync` had been called behind it. */
  readonly syncsWrites: boolean
  /** Reads up to `target.length` bytes from `offset`; fewer only at the end of the file. */
  read(target: Uint8Array, offset: number): Promise<number>
  /** Writes all of `bytes` at the end of what was written so far. `bytes` may be reused once it has resolved. */
  write(bytes: Uint8Array): Promise<void>
  /** Makes the data and the length durable (`fdatasync`). */
  sync(): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export interface FileStat {
  readonly sizeBytes: number
  readonly isDirectory: boolean
  readonly modifiedMs: number
}

export interface FileLock {
  release(): Promise<void>
}

export type FileErrorCode = 'NOT_FOUND' | 'EXISTS' | 'NO_SPACE' | 'LOCKED' | 'IO'

export class FileError extends Error {
  readonly code: FileErrorCode
  constructor(code: FileErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'FileError'
    this.code = code
  }
}
