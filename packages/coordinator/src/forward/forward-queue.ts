/**
 * A bounded queue of requests on disk. The oldest segment goes when it is full, and is counted: a target that is away for
 * long must not fill the disk.
 *
 * A segment is removed when all of it was taken. After a restart the first one is sent again from its start, which is
 * harmless: an identical sample is a success everywhere.
 */
import { type File, FileError, type FileSystem } from '@varve/tsdb-core/env'
import { decodeQueueSegment, encodeQueueHeader, encodeQueueRecord, type QueueRecord } from './queue-format.js'

const SEGMENT_SIZE_BYTES_MAX = 4 << 20
const SEGMENT_SIZE_BYTES_MIN = 64 << 10
const SUFFIX = '.queue'
/** Segments that cannot be read are kept under this name, for whoever can. */
const UNREAD_SUFFIX = '.unread'
/** Stands in the folder when all that was stored was queued before the process ended. */
const COMPLETE = 'complete'

interface Segment {
  readonly number: number
  sizeBytes: number
  /** Of what was not taken yet; `undefined` for one of an earlier process that was not read. */
  sampleCount: number | undefined
}

export interface ForwardQueueOptions {
  readonly files: FileSystem
  readonly directory: string
  readonly sizeBytesMax: number
  /** Told once of each part of a segment that cannot be read. */
  readonly onDamage: (message: string) => void
}

export class ForwardQueue {
  readonly #options: ForwardQueueOptions
  readonly #segmentSizeBytes: number
  readonly #segments: Segment[] = []
  #writing: { segment: Segment; file: File } | undefined
  /** Records of the first segment that were not taken yet. */
  #reading: { number: number; records: QueueRecord[] } | undefined
  #work: Promise<unknown> = Promise.resolve()
  #lastNumber = 0
  #wasComplete = false
  droppedSampleCount = 0

  private constructor(options: ForwardQueueOptions) {
    this.#options = options
    // So small that dropping one leaves most of the queue.
    const share = options.sizeBytesMax / 8
    this.#segmentSizeBytes = Math.min(SEGMENT_SIZE_BYTES_MAX, Math.max(SEGMENT_SIZE_BYTES_MIN, share))
  }

  static async open(options: ForwardQueueOptions): Promise<ForwardQueue> {
    const queue = new ForwardQueue(options)
    const { files, directory } = options
    await files.makeDirectory(directory)
    for (const name of await files.list(directory)) {
      const number = Number(name.slice(0, -SUFFIX.length))
      if (!name.endsWith(SUFFIX) || !Number.isSafeInteger(number)) continue
      const stat = await files.stat(`${directory}/${name}`)
      queue.#segments.push({ number, sizeBytes: stat?.sizeBytes ?? 0, sampleCount: undefined })
      queue.#lastNumber = Math.max(queue.#lastNumber, number)
    }
    queue.#segments.sort((a, b) => a.number - b.number)
    queue.#wasComplete = (await files.stat(`${directory}/${COMPLETE}`)) !== null
    if (queue.#wasComplete) {
      await files.remove(`${directory}/${COMPLETE}`)
      await files.syncDirectory(directory)
    }
    return queue
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  }

  /** Whether the process before closed it as complete: nothing was stored then that is not in it or was sent. */
  get wasComplete(): boolean {
    return this.#wasComplete
  }

  /** Durable once resolved. When it rejects, the record may be sent all the same. */
  append(record: QueueRecord): Promise<void> {
    return this.#exclusively(async () => {
      const bytes = encodeQueueRecord(record)
      const { segment, file } = await this.#segmentFor(bytes.length)
      try {
        segment.sizeBytes += bytes.length
        await file.write(bytes)
        await file.sync()
      } catch (error) {
        // What is behind half a record could not be found again: this segment takes no more.
        await this.#closeWriting().catch(() => {})
        throw error
      }
      segment.sampleCount = (segment.sampleCount ?? 0) + record.sampleCount
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
        else await this.#readOldest(oldest)
      }
    })
  }

  /** Removes what `first` gave. */
  remove(): Promise<void> {
    return this.#exclusively(async () => {
      const taken = this.#reading?.records.shift()
      const [oldest] = this.#segments
      if (taken !== undefined && oldest?.number === this.#reading?.number) {
        oldest.sampleCount = Math.max(0, (oldest.sampleCount ?? 0) - taken.sampleCount)
      }
    })
  }

  /** `complete`: all that was stored was appended, so that nothing needs to be read from the store again. */
  close({ complete = false } = {}): Promise<void> {
    return this.#exclusively(async () => {
      await this.#closeWriting()
      if (!complete) return
      const { files, directory } = this.#options
      await (await files.open(`${directory}/${COMPLETE}`, 'append')).close()
      await files.syncDirectory(directory)
    })
  }

  async #segmentFor(sizeBytes: number): Promise<{ segment: Segment; file: File }> {
    if (this.#writing !== undefined && this.#writing.segment.sizeBytes + sizeBytes > this.#segmentSizeBytes) {
      await this.#closeWriting()
    }
    if (this.#writing === undefined) {
      const { files, directory } = this.#options
      const segment: Segment = { number: ++this.#lastNumber, sizeBytes: 0, sampleCount: 0 }
      const file = await files.open(this.#path(segment.number), 'create')
      this.#segments.push(segment)
      this.#writing = { segment, file }
      const header = encodeQueueHeader()
      segment.sizeBytes = header.length
      try {
        await file.write(header)
        await files.syncDirectory(directory)
      } catch (error) {
        await this.#closeWriting().catch(() => {})
        throw error
      }
    }
    return this.#writing
  }

  async #dropOldest(): Promise<void> {
    while (this.#segments.length > 1 && this.sizeBytes > this.#options.sizeBytesMax) {
      const [oldest] = this.#segments
      if (oldest.sampleCount === undefined) await this.#readOldest(oldest)
      // One that cannot be read is out of the way already.
      if (this.#segments[0] !== oldest) continue
      this.droppedSampleCount += oldest.sampleCount ?? 0
      await this.#removeOldest()
    }
  }

  async #readOldest(oldest: Segment): Promise<void> {
    const path = this.#path(oldest.number)
    const { records, damages, foreign } = decodeQueueSegment(await this.#read(path))
    if (foreign !== null) {
      await this.#options.files.rename(path, path + UNREAD_SUFFIX)
      this.#segments.shift()
      this.#options.onDamage(`${path}: ${foreign}: kept as ${path + UNREAD_SUFFIX}, and not sent`)
      return
    }
    for (const { message, sampleCount } of damages) {
      this.#options.onDamage(`${path} ${message}: ${sampleCount} samples are not sent`)
      this.droppedSampleCount += sampleCount
    }
    oldest.sampleCount = records.reduce((sum, record) => sum + record.sampleCount, 0)
    this.#reading = { number: oldest.number, records }
  }

  async #removeOldest(): Promise<void> {
    const [oldest] = this.#segments
    await this.#options.files.remove(this.#path(oldest.number))
    this.#segments.shift()
    if (this.#reading?.number === oldest.number) this.#reading = undefined
  }

  async #closeWriting(): Promise<void> {
    const writing = this.#writing
    this.#writing = undefined
    await writing?.file.close()
  }

  async #read(path: string): Promise<Uint8Array> {
    let file: File
    try {
      file = await this.#options.files.open(path, 'read')
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
