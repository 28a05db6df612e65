/**
 * The commit log: appends records in groups, each group with one write and one sync.
 *
 * While a group is being synced the next one gathers, so that many waiting callers share a sync. All that touches the
 * files is done by one loop, one task after the other, in the order of the calls (I1).
 *
 * A write or sync that fails ends its segment (I3): what was not yet durable is written again into a new segment, whose
 * header supersedes what the old one may hold of it. When that fails too, the callers are told, and the next group tries
 * again.
 *
 * Invariants I1-I4: commit-log.ts. Bytes: docs/formats/commit-log.md.
 */
import type { Timer } from '../env/clock.js'
import { type File, FileError } from '../env/file-system.js'
import { StorageError } from '../errors.js'
import {
  type CommitLogOptions,
  type LogRecord,
  type ReplayOptions,
  type ReplayReport,
  SEGMENT_SIZE_BYTES_DEFAULT,
  type SegmentInfo,
  SYNC_INTERVAL_MS_DEFAULT,
} from './commit-log.js'
import {
  createWhole,
  type FoundCloseMark,
  findSegments,
  readCloseMark,
  removeUnfinished,
  writeCloseMark,
} from './directory.js'
import {
  RECORD_PAYLOAD_SIZE_BYTES_MAX,
  type RecordType,
  SEGMENT_HEADER_SIZE_BYTES,
  SEGMENT_VERSION,
  segmentFileName,
  writeSegmentHeader,
} from './format.js'
import { RecordGroup } from './record-group.js'
import { type FoundSegment, replaySegments } from './replay.js'

/** A group that is larger does not take more: its callers wait long enough. */
const GROUP_SIZE_BYTES_MAX = 16 * 1024 * 1024
/** Records that are in no hurry are written once there are so many bytes. */
const DEFERRED_SIZE_BYTES_MAX = 1024 * 1024
/** Groups kept for use again; a larger one is left to the collector. */
const SPARE_GROUPS_MAX = 4
const SPARE_SIZE_BYTES_MAX = 2 * 1024 * 1024

type State = 'opened' | 'replaying' | 'ready' | 'closing' | 'closed'

interface OpenSegment {
  readonly segment: number
  readonly path: string
  readonly file: File
  readonly salt: number
  sizeBytes: number
}

/** The payload is the parts one after the other. */
export interface RecordToAppend {
  readonly type: RecordType
  readonly parts: readonly Uint8Array[]
}

type Task = RecordGroup | (() => Promise<void>)

export class CommitLog {
  readonly #options: Required<CommitLogOptions>
  readonly #closeMark: FoundCloseMark
  #state: State = 'opened'
  /** Segments that take no more writes, oldest first. */
  #closed: SegmentInfo[]
  /** The last of them was written by this process, and all of it is durable. */
  #isLastWhole = false
  #open: OpenSegment | null = null
  #segmentLast: number
  /** What the next record gets; all before `#durableSequence` are durable. */
  #sequenceNext = 0
  #durableSequence = 0
  readonly #tasks: Task[] = []
  #isWorking = false
  /** Written and acknowledged, but not yet synced: kept to be written again if the sync fails. */
  #unsynced: RecordGroup[] = []
  #syncTimer: Timer | null = null
  readonly #spare: RecordGroup[] = []
  #syncCount = 0
  #failureCount = 0
  #refusalCount = 0

  private constructor(options: Required<CommitLogOptions>, found: readonly FoundSegment[], closeMark: FoundCloseMark) {
    this.#options = options
    this.#closed = [...found]
    this.#segmentLast = found.at(-1)?.segment ?? 0
    this.#closeMark = closeMark
  }

  /**
   * Opens the log of a folder. `replay` comes next, also for an empty one; then it takes records.
   *
   * @throws {FileError} when the folder cannot be made or read.
   */
  static async open(options: CommitLogOptions): Promise<CommitLog> {
    const { directory, env } = options
    const { files } = env
    await files.makeDirectory(directory)
    await removeUnfinished(files, directory)
    const complete = {
      syncMode: 'always' as const,
      syncIntervalMs: SYNC_INTERVAL_MS_DEFAULT,
      segmentSizeBytes: SEGMENT_SIZE_BYTES_DEFAULT,
      ...options,
    }
    return new CommitLog(complete, await findSegments(files, directory), await readCloseMark(files, directory))
  }

  /**
   * Applies what is on disk, oldest first, awaiting `apply` where it gives a promise. Once, before the first `append`.
   *
   * @throws {StorageError} `CORRUPT` for a segment or a record that a newer version wrote; and what `apply` throws.
   */
  async replay(apply: (record: LogRecord) => void | Promise<void>, options: ReplayOptions = {}): Promise<ReplayReport> {
    if (this.#state !== 'opened') throw new StorageError('INVALID_ARGUMENT', 'the commit log was replayed already')
    this.#state = 'replaying'
    const { directory, env } = this.#options
    const { report, sequenceNext } = await replaySegments({
      files: env.files,
      segments: this.#closed.map(({ segment, path, sizeBytes }) => ({ segment, path, sizeBytes })),
      closeMark: this.#closeMark.mark,
      quarantineDirectory: `${directory}/quarantine`,
      apply,
      ...options,
    })
    await this.#syncFound()
    this.#sequenceNext = sequenceNext
    this.#durableSequence = sequenceNext
    this.#state = 'ready'
    const { damage } = this.#closeMark
    return damage === null ? report : { ...report, damages: [damage, ...report.damages] }
  }

  /**
   * Appends one record whose payload is the parts one after the other; they are copied before the call returns.
   *
   * Resolves once it is durable as the sync mode says.
   * @throws {StorageError} `READ_ONLY` when the disk is full, `UNAVAILABLE` when it fails, `INVALID_ARGUMENT` for a record
   * that is too large, `CLOSED`. After `READ_ONLY` and `UNAVAILABLE` the record is not in the log, unless the machine
   * stops before the next record is: it may then be found there. The next call tries again.
   */
  append(type: RecordType, parts: readonly Uint8Array[]): Promise<void> {
    return this.appendAll([{ type, parts }])
  }

  /**
   * The same without hurry: the record waits for the next one that is appended otherwise, for `writeDeferred`, or until there is
   * a megabyte. It keeps its place among all records.
   */
  async appendDeferred(type: RecordType, parts: readonly Uint8Array[]): Promise<void> {
    await this.#add([{ type, parts }], true)
  }

  /** Begins to write what was deferred. */
  writeDeferred(): void {
    if (this.#state === 'ready' && this.#tasks.length > 0) this.#work()
  }

  /**
   * Appends several records that are written together: either all of them are refused, or none. After a crash the last of
   * them may be missing if they were not acknowledged, but none without those behind it.
   */
  async appendAll(records: readonly RecordToAppend[]): Promise<void> {
    await this.#add(records, false)
  }

  #add(records: readonly RecordToAppend[], isDeferred: boolean): Promise<void> {
    this.#checkReady()
    for (const { parts } of records) checkSize(parts)
    let group = this.#tasks.at(-1)
    if (!(group instanceof RecordGroup) || group.sizeBytes > GROUP_SIZE_BYTES_MAX) {
      group = this.#spare.pop() ?? new RecordGroup()
      this.#tasks.push(group)
    }
    for (const { type, parts } of records) group.add(type, parts)
    const appended = group.wait()
    if (!isDeferred || group.sizeBytes >= DEFERRED_SIZE_BYTES_MAX) this.#work()
    return appended
  }

  /** Begins a new segment and gives its number: records of earlier calls lie before it, later ones in it or behind it. */
  rotate(): Promise<number> {
    this.#checkReady()
    return this.#inOrder(async () => {
      try {
        await this.#closeSegment()
        await this.#createSegment([])
      } catch (error) {
        throw storageErrorOf(error)
      }
      return this.#segmentLast
    })
  }

  /** Removes the segments before this one. */
  async removeBefore(segment: number): Promise<void> {
    const { directory, env } = this.#options
    for (;;) {
      const oldest = this.#closed[0]
      // The last segment stays even when it is not open: it carries on the count of records and segments.
      const isLast = this.#open === null && this.#closed.length === 1
      if (oldest === undefined || oldest.segment >= segment || isLast) return
      await env.files.remove(oldest.path).catch((error) => {
        if (!isNotFound(error)) throw error
      })
      // One by one: if a crash kept an older segment and not a younger one, records would seem to be missing.
      await env.files.syncDirectory(directory)
      // Only now: one whose removal failed is tried again before any younger one.
      this.#closed = this.#closed.filter((each) => each !== oldest)
    }
  }

  /**
   * Syncs what was appended, in every mode, and lets go of the files.
   *
   * @throws {StorageError} `READ_ONLY`, `UNAVAILABLE` when what was acknowledged without a sync cannot be synced.
   */
  async close(): Promise<void> {
    if (this.#state === 'closed' || this.#state === 'closing') return
    const wasReady = this.#state === 'ready'
    this.#state = 'closing'
    try {
      if (wasReady) await this.#inOrder(() => this.#closeMarked())
    } catch (error) {
      throw storageErrorOf(error)
    } finally {
      this.#state = 'closed'
    }
  }

  /** All segments, oldest first; the last takes the writes. */
  segments(): readonly SegmentInfo[] {
    const open = this.#open
    if (open === null) return [...this.#closed]
    return [...this.#closed, { segment: open.segment, path: open.path, sizeBytes: open.sizeBytes }]
  }

  /**
   * Counts since it was opened: syncs of segments, segments that were given up since a write or sync failed, and how often
   * records were refused. When `refusals` has changed, records that were appended before may not be in the log.
   */
  get counts(): { readonly syncs: number; readonly failures: number; readonly refusals: number } {
    return { syncs: this.#syncCount, failures: this.#failureCount, refusals: this.#refusalCount }
  }

  async #closeMarked(): Promise<void> {
    await this.#closeSegment()
    const last = this.#closed.at(-1)
    if (last === undefined || !this.#isLastWhole) return
    const { directory, env } = this.#options
    const mark = { segment: last.segment, sequenceEnd: this.#durableSequence }
    await writeCloseMark(env.files, directory, mark).catch((error) => {
      // All records are durable. Without the mark it is as after a kill, which a full disk is no reason to fail over.
      if (!(error instanceof FileError && error.code === 'NO_SPACE')) throw error
    })
  }

  /**
   * What was replayed may never have been synced: the process before may have been killed. It must be durable before a
   * segment begins that says so.
   */
  async #syncFound(): Promise<void> {
    const { directory, env } = this.#options
    for (const { path } of this.#closed) {
      const file = await env.files.open(path, 'append')
      try {
        await file.sync()
      } finally {
        await file.close()
      }
    }
    await env.files.syncDirectory(directory)
  }

  #checkReady(): void {
    if (this.#state === 'ready') return
    if (this.#state === 'opened' || this.#state === 'replaying') {
      throw new StorageError('INVALID_ARGUMENT', 'the commit log must be replayed before it is written to')
    }
    throw new StorageError('CLOSED', 'the commit log was closed')
  }

  /** Carries `work` out after all that was asked for before it, and before all that is asked for later. */
  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#tasks.push(() => work().then(resolve, reject))
      this.#work()
    })
  }

  #work(): void {
    if (this.#isWorking) return
    this.#isWorking = true
    void this.#workThrough()
  }

  async #workThrough(): Promise<void> {
    // What the event loop brings in this turn, such as the bodies of other requests, still joins the first group.
    await this.#options.env.clock.yield()
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) {
      if (task instanceof RecordGroup) await this.#writeGroup(task)
      else await task()
    }
    this.#isWorking = false
  }

  /** Writes the group and tells its callers; never throws. */
  async #writeGroup(group: RecordGroup): Promise<void> {
    try {
      if (this.#open === null) await this.#createSegment([...this.#unsynced, group])
      else await this.#writeToOpen(group)
    } catch (error) {
      this.#refuse(group, storageErrorOf(error))
      return
    }
    group.resolve()
    this.#putAside(group)
    if (this.#open !== null && this.#open.sizeBytes >= this.#options.segmentSizeBytes) {
      await this.#closeSegment().catch(() => {
        // What could not be synced is kept; the next append meets the same disk, and its caller is told.
      })
    }
  }

  /** Refuses what waits behind it too: it may rest on what is refused, such as the declaration of its series. */
  #refuse(group: RecordGroup, error: StorageError): void {
    this.#refusalCount++
    group.reject(error)
    for (const task of this.#tasks) if (task instanceof RecordGroup) task.reject(error)
    const rest = this.#tasks.filter((task) => !(task instanceof RecordGroup))
    this.#tasks.splice(0, this.#tasks.length, ...rest)
  }

  async #writeToOpen(group: RecordGroup): Promise<void> {
    const open = this.#open!
    const { syncMode } = this.#options
    try {
      const bytes = group.seal(open.salt, this.#sequenceNext, this.#durableSequence)
      await open.file.write(bytes)
      open.sizeBytes += bytes.length
      if (syncMode === 'always') await this.#sync(open)
    } catch {
      await this.#giveUp(open)
      await this.#createSegment([...this.#unsynced, group])
      return
    }
    this.#sequenceNext += group.recordCount
    if (syncMode === 'always') this.#durableSequence = this.#sequenceNext
    else if (syncMode === 'interval') {
      this.#keep(group)
      this.#syncTimer ??= this.#options.env.clock.setTimer(this.#options.syncIntervalMs, () => {
        this.#syncTimer = null
        this.#tasks.push(() => this.#syncUnsynced())
        this.#work()
      })
    }
  }

  async #sync(open: OpenSegment): Promise<void> {
    if (!open.file.syncsWrites) await open.file.sync()
    this.#syncCount++
  }

  /** Never throws: what could not be synced is kept, and written again with the next group. */
  async #syncUnsynced(): Promise<void> {
    if (this.#unsynced.length === 0) return
    try {
      if (this.#open === null) await this.#createSegment([...this.#unsynced])
      else {
        await this.#sync(this.#open)
        this.#durable()
      }
    } catch {
      if (this.#open !== null) await this.#giveUp(this.#open)
      await this.#createSegment([...this.#unsynced]).catch(() => {
        // The groups stay in `#unsynced`; the next append meets the same disk, and its caller is told.
      })
    }
  }

  #durable(): void {
    this.#durableSequence = this.#sequenceNext
    for (const group of this.#unsynced.splice(0)) this.#putAside(group)
  }

  /**
   * Makes the next segment, with these groups in it, all of it durable (I2).
   *
   * The groups are all that is not durable, in order; their sequences begin where the durable ones end.
   */
  async #createSegment(groups: readonly RecordGroup[]): Promise<void> {
    const { directory, env } = this.#options
    const segment = ++this.#segmentLast
    const salt = env.random.u32() || 1
    const header = new Uint8Array(SEGMENT_HEADER_SIZE_BYTES)
    const sequenceFirst = this.#durableSequence
    writeSegmentHeader(header, { version: SEGMENT_VERSION, segment, sequenceFirst, salt })
    const parts: Uint8Array[] = [header]
    let sequence = sequenceFirst
    for (const group of groups) {
      parts.push(group.seal(salt, sequence, sequenceFirst))
      sequence += group.recordCount
    }
    const path = `${directory}/${segmentFileName(segment)}`
    const file = await this.#createWhole(path, segment, parts)
    this.#syncCount++
    this.#open = { segment, path, file, salt, sizeBytes: parts.reduce((sum, part) => sum + part.length, 0) }
    this.#sequenceNext = sequence
    this.#durable()
  }

  async #createWhole(path: string, segment: number, parts: readonly Uint8Array[]): Promise<File> {
    const { syncMode, env } = this.#options
    const { files } = env
    try {
      return await createWhole(files, path, parts, syncMode === 'always' ? 'append-synced' : 'append')
    } catch (error) {
      // It may have its name already, and what is in it is superseded by the segment that will be made in its place.
      await files.remove(path).catch((failure) => {
        if (isNotFound(failure)) return
        this.#closed.push({ segment, path, sizeBytes: 0 })
        this.#isLastWhole = false
      })
      throw error
    }
  }

  /**
   * Syncs and closes the open segment. If it cannot be synced, what was not durable goes into a new one first.
   *
   * @throws what the disk says when that fails too; the groups are then kept for the next attempt.
   */
  async #closeSegment(): Promise<void> {
    if (this.#open === null && this.#unsynced.length > 0) await this.#createSegment([...this.#unsynced])
    const open = this.#open
    if (open === null) return
    try {
      if (this.#durableSequence < this.#sequenceNext) await this.#sync(open)
      this.#durable()
    } catch {
      await this.#giveUp(open)
      if (this.#unsynced.length > 0) await this.#createSegment([...this.#unsynced])
      if (this.#open === null) return
    }
    await this.#leave(this.#open!)
  }

  async #leave(open: OpenSegment): Promise<void> {
    this.#open = null
    this.#isLastWhole = true
    this.#closed.push({ segment: open.segment, path: open.path, sizeBytes: open.sizeBytes })
    await open.file.close()
  }

  /** A segment that failed is never written again (I3). What it holds of durable records still counts. */
  async #giveUp(open: OpenSegment): Promise<void> {
    this.#failureCount++
    this.#open = null
    this.#isLastWhole = false
    this.#closed.push({ segment: open.segment, path: open.path, sizeBytes: open.sizeBytes })
    // Without `interval` nothing is kept that could be written again: what is lost then is what the mode says.
    if (this.#options.syncMode === 'never') this.#durableSequence = this.#sequenceNext
    await open.file.close().catch(() => {
      // Its failure was noticed already; a descriptor that cannot be closed changes nothing.
    })
  }

  /**
   * Keeps a copy of what was written and is not synced. Many groups go into one, so that those that take records are few and
   * warm: a group for each append of the last interval would be tens of megabytes.
   */
  #keep(group: RecordGroup): void {
    let kept = this.#unsynced.at(-1)
    if (kept === undefined || kept.sizeBytes + group.sizeBytes > SPARE_SIZE_BYTES_MAX) {
      kept = this.#spare.pop() ?? new RecordGroup()
      this.#unsynced.push(kept)
    }
    kept.absorb(group)
  }

  #putAside(group: RecordGroup): void {
    if (group.sizeBytes <= SPARE_SIZE_BYTES_MAX && this.#spare.length < SPARE_GROUPS_MAX) {
      this.#spare.push(group.clear())
    }
  }
}

function checkSize(parts: readonly Uint8Array[]): void {
  let sizeBytes = 0
  for (const part of parts) sizeBytes += part.length
  if (sizeBytes > RECORD_PAYLOAD_SIZE_BYTES_MAX) {
    throw new StorageError(
      'INVALID_ARGUMENT',
      `a record of ${sizeBytes} bytes: at most ${RECORD_PAYLOAD_SIZE_BYTES_MAX} are allowed`,
    )
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof FileError && error.code === 'NOT_FOUND'
}

function storageErrorOf(error: unknown): StorageError {
  if (error instanceof FileError && error.code === 'NO_SPACE') {
    return new StorageError('READ_ONLY', `the disk is full: ${error.message}`, { cause: error })
  }
  const message = error instanceof Error ? error.message : String(error)
  return new StorageError('UNAVAILABLE', `the commit log cannot be written: ${message}`, { cause: error })
}
