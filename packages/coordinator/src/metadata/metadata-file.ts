/**
 * The metadata of one tenant in a file, so that a restart does not forget it: written now and then, replaced atomically.
 *
 * Losing the last minute of it costs nothing, since senders repeat it every minute: so it is no part of the commit log.
 */
import { FileError, type FileSystem } from '@varve/tsdb-core/env'
import type { Logger } from '../logging/logger.js'
import type { MetadataStore } from './metadata-store.js'

export class MetadataFile {
  readonly #files: FileSystem
  readonly #path: string
  readonly #store: MetadataStore
  readonly #logger: Logger
  #savedRevision = 0
  /** Until the saved state has been read, saving would overwrite it. */
  #loaded: Promise<void> | undefined

  constructor(options: { files: FileSystem; directory: string; name: string; store: MetadataStore; logger: Logger }) {
    this.#files = options.files
    this.#path = `${options.directory}/${options.name}`
    this.#store = options.store
    this.#logger = options.logger
  }

  /** Reads what was saved. A file that cannot be read is reported, and metadata is gathered anew. */
  load(): Promise<void> {
    this.#loaded ??= this.#load()
    return this.#loaded
  }

  async #load(): Promise<void> {
    try {
      const stat = await this.#files.stat(this.#path)
      if (stat === null) return
      const bytes = new Uint8Array(stat.sizeBytes)
      const file = await this.#files.open(this.#path, 'read')
      try {
        await file.read(bytes, 0)
      } finally {
        await file.close()
      }
      if (this.#store.load(bytes) < 0)
        this.#logger.warn({ path: this.#path }, 'saved metadata is not readable: dropped')
      this.#savedRevision = this.#store.revision
    } catch (error) {
      if (!(error instanceof FileError)) throw error
      this.#logger.warn({ error, path: this.#path }, 'saved metadata was not read')
    }
  }

  /** Writes what has changed since the last time. A failure is reported and tried again with the next call. */
  async save(): Promise<void> {
    await this.load()
    const { revision } = this.#store
    if (revision === this.#savedRevision) return
    const temporary = `${this.#path}.new`
    const directory = this.#path.slice(0, this.#path.lastIndexOf('/'))
    try {
      await this.#files.makeDirectory(directory)
      if ((await this.#files.stat(temporary)) !== null) await this.#files.remove(temporary)
      const file = await this.#files.open(temporary, 'create')
      try {
        await file.write(this.#store.encode())
        await file.sync()
      } finally {
        await file.close()
      }
      await this.#files.rename(temporary, this.#path)
      await this.#files.syncDirectory(directory)
      this.#savedRevision = revision
    } catch (error) {
      if (!(error instanceof FileError)) throw error
      this.#logger.warn({ error, path: this.#path }, 'metadata was not saved')
    }
  }
}
