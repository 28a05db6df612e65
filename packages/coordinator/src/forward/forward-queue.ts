/**
 * A bounded queue of requests on disk. The oldest segment goes when it is full, and is counted: a target that is away for
 * long must not fill the disk.
 *
 * A segment is removed when all of it was taken. After a restart the first one is sent again from its start, which is
 * harmless: an identical sample is a success everywhere.
 */
import { type File, FileError, type FileSystem } from '@varve/tsdb-core/env'
import { decodeQueueSegment, encodeQueueHeader, encodeQueueRecord, type QueueRecord } from './queue-format.js'

const SEGMENT_SIZE_BYTES = 4 << 20
const SUFFIX = '.queue'

interface Segment {
  readonly number: number
  sizeBytes: number
  sampleCount: number
}

export interface ForwardQueueOptions {
  readonly files: FileSystem
  readonly directory: string
  readonly sizeBytesMax: number
}

export class ForwardQueue {
  readonly #options: ForwardQueueOptions
  readonly #segments: Segment[] = []
  #writing: { segment: Segment; file: File } | undefined
  /** Records of the first segment that were not taken yet. */
  #reading: { number: number; records: QueueRecord[] } | undefined
  #work: Promise<unknown> = Promise.resolve()
  droppedSampleCount = 0

  private constructor(options: ForwardQueueOptions) {
    this.#options = options
  }

  static async open(options: ForwardQueueOptions): Promise<ForwardQueue> {
    const queue = new ForwardQueue(options)
    const { files, directory } = options
    await files.makeDirectory(directory)
    for (const name of await files.list(directory)) {
      const number = Number(name.slice(0, -SUFFIX.length))
      if (!name.endsWith(SUFFIX) || !Number.isSafeInteger(number)) continue
      const stat = await files.stat(`${directory}/${name}`)
      queue.#segments.push({ number, sizeBytes: stat?.sizeBytes ?? 0, sampleCount: 0 })
    }
    queue.#segments.sort((a, b) => a.number - b.number)
    return queue
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  }

  /** Durable once resolved. */
  append(record: QueueRecord): Promise<void> {
    return this.#exclusively(async () => {
      const bytes = encodeQueueRecord(record)
      const { segment, file } = await this.#segmentFor(bytes.length)
      await file.write(bytes)
      await file.sync()
      segment.sizeBytes += bytes.length
      segment.sampleCount += record.sampleCount
      await this.#dropOldest()
    })
  }

  /** The oldest record, or `null` when there is none. It stays until `remove`. */
  first(): Promise<QueueRecord | null> {
    return this.#exclusively(async () => {
      for (;;) {
        const oldest = this.#segments[0]
        if (oldest === undefined) return null
        if (this.#reading?.number === oldest.number && this.#reading.records.length > 0) return this.#reading.records[0]
        // All of it was taken, or it is not read yet. One that is still written is closed first.
        if (this.#writing?.segment === oldest) await this.#closeWriting()
        if (this.#reading?.number === oldest.number) await this.#removeOldest()
        else this.#reading = { number: oldest.number, records: decodeQueueSegment(await this.#read(oldest.number)) }
      }
    })
  }

  /** Removes what `first` gave. */
  remove(): Promise<void> {
    return this.#exclusively(async () => {
      this.#reading?.records.shift()
    })
  }

  close(): Promise<void> {
    return this.#exclusively(() => this.#closeWriting())
  }

  async #segmentFor(sizeBytes: number): Promise<{ segment: Segment; file: File }> {
    if (this.#writing !== undefined && this.#writing.segment.sizeBytes + sizeBytes > SEGMENT_SIZE_BYTES) {
      await this.#closeWriting()
    }
    if (this.#writing === undefined) {
      const { files, directory } = this.#options
      const last = this.#segments[this.#segments.length - 1]
      const segment: Segment = { number: (last?.number ?? 0) + 1, sizeBytes: 0, sampleCount: 0 }
      const file = await files.open(this.#path(segment.number), 'create')
      const header = encodeQueueHeader()
      await file.write(header)
      await files.syncDirectory(directory)
      segment.sizeBytes = header.length
      this.#segments.push(segment)
      this.#writing = { segment, file }
    }
    return this.#writing
  }

  async #dropOldest(): Promise<void> {
    while (this.#segments.length > 1 && this.sizeBytes > this.#options.sizeBytesMax) {
      this.droppedSampleCount += this.#segments[0].sampleCount
      await this.#removeOldest()
    }
  }

  async #removeOldest(): Promise<void> {
    const [oldest] = this.#segments.splice(0, 1)
    if (this.#reading?.number === oldest.number) this.#reading = undefined
    await this.#options.files.remove(this.#path(oldest.number))
  }

  async #closeWriting(): Promise<void> {
    await this.#writing?.file.close()
    this.#writing = undefined
  }

  async #read(number: number): Promise<Uint8Array> {
    let file: File
    try {
      file = await this.#options.files.open(this.#path(number), 'read')
    } catch (error) {
      if (error instanceof FileError && error.code === 'NOT_FOUND') return new Uint8Array()
      throw error
    }
    try {
      const bytes = new Uint8Array(await file.size())
      const length = await file.read(bytes, 0)
      return bytes.subarray(0, length)
    } finally {
      await file.close()
    }
  }

  #path(number: number): string {
    return `${this.#options.directory}/${String(number).padStart(10, '0')}${SUFFIX}`
  }

  /** One after the other: taking and adding meet at the last segment. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work)
    this.#work = done.catch(() => {})
    return done
  }
}
