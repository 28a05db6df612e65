/** Keeps a reserve of disk space: below it appends are refused, queries go on, and appends resume by themselves. */
import type { FileSystem } from './env/file-system.js'
import { StorageError } from './errors.js'

export class DiskGuard {
  readonly #files: FileSystem
  readonly #directory: string
  readonly #reserveBytes: number
  #freeBytes = Number.POSITIVE_INFINITY
  /** The log met a full disk since the last look. */
  #wasRefused = false

  constructor(files: FileSystem, directory: string, reserveBytes: number) {
    this.#files = files
    this.#directory = directory
    this.#reserveBytes = reserveBytes
  }

  get isFull(): boolean {
    return this.#wasRefused || this.#freeBytes < this.#reserveBytes
  }

  /** Looks at the disk. */
  async check(): Promise<void> {
    this.#freeBytes = await this.#files.freeBytes(this.#directory)
    this.#wasRefused = false
  }

  /** An append failed. */
  note(error: unknown): void {
    if (error instanceof StorageError && error.code === 'READ_ONLY') this.#wasRefused = true
  }

  /** @throws {StorageError} `READ_ONLY` while the disk is full. */
  checkWritable(): void {
    if (!this.isFull) return
    throw new StorageError(
      'READ_ONLY',
      `the disk of ${this.#directory} is full: ${this.#freeBytes} bytes free, diskReserveBytes is ${this.#reserveBytes}; writes resume by themselves`,
    )
  }
}
