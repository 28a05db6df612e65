/**
 * Replays the segments of a log, oldest first, and tells damage from the torn end of a write.
 *
 * Sequences rise by one over all segments, so that a record that is missing shows, whatever became of it. Whether it was
 * acknowledged is known from what was written later: each record says how many before it were not yet durable, each
 * segment that all before it were (its header names the first sequence that holds from there on), and a log that was
 * closed says so.
 *
 * - A hole that later evidence shows to have been durable is damage: its bytes are copied aside and reported, and the rest
 *   is replayed.
 * - A hole without such evidence is where a crash cut the last write: the log ends there, and the rest is cut off. Records
 *   behind it were never acknowledged, and may rest on what the hole held.
 */
import type { File, FileSystem } from '../env/file-system.js'
import type { LogDamage, LogRecord, ReplayOptions, ReplayReport } from './commit-log.js'
import { SEGMENT_HEADER_SIZE_BYTES, type SegmentHeader } from './format.js'
import { readHeaderOf, SegmentReader } from './reader.js'

const PROGRESS_STEP_BYTES = 4 * 1024 * 1024
const COPY_SIZE_BYTES = 1024 * 1024

/** One segment file as it was found. */
export interface FoundSegment {
  readonly segment: number
  readonly path: string
  readonly sizeBytes: number
}

/** What a clean close left behind; holds while its segment is the last one. */
export interface CloseMark {
  readonly segment: number
  readonly sequenceEnd: number
}

export interface ReplayRequest extends ReplayOptions {
  readonly files: FileSystem
  /** In order of their numbers. */
  readonly segments: readonly FoundSegment[]
  readonly closeMark: CloseMark | null
  /** Where damaged bytes are copied; null to change nothing at all: nothing is copied and nothing is cut off. */
  readonly quarantineDirectory: string | null
  readonly apply: (record: LogRecord) => void | Promise<void>
}

export interface ReplayResult {
  readonly report: ReplayReport
  /** The sequence that the next record gets. */
  readonly sequenceNext: number
}

export async function replaySegments(request: ReplayRequest): Promise<ReplayResult> {
  const replay = new Replay(request)
  await replay.run()
  return { report: replay.report(), sequenceNext: replay.sequenceNext }
}

interface Pending {
  offset: number
  sizeBytes: number
  messages: string[]
}

class Replay {
  /** The sequence that comes next if nothing is missing; -1 before the first segment whose header is known. */
  sequenceNext = -1
  readonly #request: ReplayRequest
  readonly #headers: (SegmentHeader | null)[] = []
  readonly #damages: LogDamage[] = []
  #recordCount = 0
  #readBytes = 0
  #progressBytes = 0
  #tornTailBytes = 0

  constructor(request: ReplayRequest) {
    this.#request = request
  }

  report(): ReplayReport {
    return {
      segmentCount: this.#request.segments.length,
      recordCount: this.#recordCount,
      readBytes: this.#readBytes,
      tornTailBytes: this.#tornTailBytes,
      damages: this.#damages,
    }
  }

  async run(): Promise<void> {
    const { segments } = this.#request
    for (const segment of segments) this.#headers.push(await this.#headerOf(segment))
    for (let index = 0; index < segments.length; index++) await this.#replaySegment(index)
    const { closeMark } = this.#request
    const last = segments.at(-1)
    if (closeMark !== null && last?.segment === closeMark.segment && this.sequenceNext < closeMark.sequenceEnd) {
      const offset = last.sizeBytes
      await this.#reportHole(last, { offset, sizeBytes: 0, messages: ['the end is missing'] }, closeMark.sequenceEnd)
    }
    this.sequenceNext = Math.max(this.sequenceNext, 0)
  }

  /** Null when neither copy can be read: the segment is then damage as a whole. */
  async #headerOf(segment: FoundSegment): Promise<SegmentHeader | null> {
    return withFile(this.#request.files, segment.path, async (file) => {
      const { header, damages } = await readHeaderOf(file, segment.path, segment.sizeBytes)
      const isForeign = header !== null && header.segment !== segment.segment
      if (isForeign)
        damages.push({ offset: 0, sizeBytes: segment.sizeBytes, message: `it is segment ${header.segment}` })
      const isLost = header === null || isForeign
      for (const damage of damages) {
        await this.#addDamage(segment, {
          ...damage,
          sequenceFirst: Math.max(0, this.sequenceNext),
          sequenceEnd: Math.max(0, this.sequenceNext),
          sizeBytes: isLost ? segment.sizeBytes - damage.offset : damage.sizeBytes,
        })
      }
      return isLost ? null : header
    })
  }

  async #replaySegment(index: number): Promise<void> {
    const segment = this.#request.segments[index]
    const header = this.#headers[index]
    if (header === null) return
    if (this.sequenceNext < 0) this.sequenceNext = header.sequenceFirst
    else if (header.sequenceFirst > this.sequenceNext) {
      const before = this.#request.segments[index - 1]
      const messages = ['records are missing before the next segment']
      await this.#reportHole(before, { offset: before.sizeBytes, sizeBytes: 0, messages }, header.sequenceFirst)
    } else if (header.sequenceFirst < this.sequenceNext) this.sequenceNext = header.sequenceFirst
    const limit = this.#limitOf(index)
    const cutOffset = await withFile(this.#request.files, segment.path, (file) =>
      this.#replayFile(file, segment, header, limit),
    )
    if (cutOffset !== null && this.#request.quarantineDirectory !== null) {
      await cutOff(this.#request.files, segment.path, cutOffset)
    }
  }

  /** Records of this sequence or a later one do not count in the segment: a later segment begins with it. */
  #limitOf(index: number): number {
    let limit = Number.POSITIVE_INFINITY
    for (const header of this.#headers.slice(index + 1)) {
      if (header !== null) limit = Math.min(limit, header.sequenceFirst)
    }
    return limit
  }

  /** Applies the records of one file; gives the offset at which it is to be cut off, or null. */
  async #replayFile(file: File, segment: FoundSegment, header: SegmentHeader, limit: number): Promise<number | null> {
    const reader = new SegmentReader({ file, path: segment.path, sizeBytes: segment.sizeBytes, header })
    const { closeMark, apply } = this.#request
    // All that a later segment builds on was durable. In the last one, only what a close or a later record says.
    let durableEnd = Number.isFinite(limit)
      ? limit
      : closeMark?.segment === segment.segment
        ? closeMark.sequenceEnd
        : -1
    let lookedAhead = Number.isFinite(limit)
    let hole: Pending | null = null
    const lookAhead = async (offset: number) => {
      if (!lookedAhead) durableEnd = Math.max(durableEnd, await durableEndAfter(file, segment, header, offset))
      lookedAhead = true
    }
    this.#progress(SEGMENT_HEADER_SIZE_BYTES)
    for (;;) {
      const piece = reader.nextInWindow() ?? (await reader.next())
      if (piece === null) break
      this.#progress(piece.sizeBytes)
      if (piece.kind === 'damage') {
        hole ??= { offset: piece.offset, sizeBytes: 0, messages: [] }
        hole.sizeBytes = piece.offset + piece.sizeBytes - hole.offset
        hole.messages.push(piece.message)
        continue
      }
      if (piece.sequence >= limit) continue
      if (piece.sequence < this.sequenceNext) {
        hole ??= { offset: piece.offset, sizeBytes: 0, messages: [] }
        hole.sizeBytes = piece.offset + piece.sizeBytes - hole.offset
        hole.messages.push(`record ${piece.sequence} stands again where ${this.sequenceNext} is due`)
        continue
      }
      if (hole !== null || piece.sequence > this.sequenceNext) {
        hole ??= { offset: piece.offset, sizeBytes: 0, messages: ['records are missing'] }
        await lookAhead(hole.offset)
        if (durableEnd <= this.sequenceNext) return this.#tornAt(hole.offset, segment)
        await this.#reportHole(segment, hole, piece.sequence)
        hole = null
      }
      const applied = apply({
        type: piece.type,
        sequence: piece.sequence,
        segment: segment.segment,
        offset: piece.offset,
        payload: piece.payload,
      })
      if (applied instanceof Promise) await applied
      this.#recordCount++
      this.sequenceNext = piece.sequence + 1
    }
    if (hole === null) return null
    await lookAhead(hole.offset)
    if (durableEnd <= this.sequenceNext) return this.#tornAt(hole.offset, segment)
    await this.#reportHole(segment, hole, Math.min(durableEnd, limit))
    return null
  }

  #tornAt(offset: number, segment: FoundSegment): number {
    this.#tornTailBytes += segment.sizeBytes - offset
    return offset
  }

  async #reportHole(segment: FoundSegment, hole: Pending, sequenceEnd: number): Promise<void> {
    const sequenceFirst = this.sequenceNext
    this.sequenceNext = Math.max(this.sequenceNext, sequenceEnd)
    const message = [...new Set(hole.messages)].join('; ')
    await this.#addDamage(segment, {
      offset: hole.offset,
      sizeBytes: hole.sizeBytes,
      message,
      sequenceFirst,
      sequenceEnd: Math.max(sequenceFirst, sequenceEnd),
    })
  }

  async #addDamage(
    segment: FoundSegment,
    damage: { offset: number; sizeBytes: number; message: string; sequenceFirst: number; sequenceEnd: number },
  ): Promise<void> {
    const { files, quarantineDirectory } = this.#request
    let quarantinePath: string | null = null
    let message = damage.message
    if (quarantineDirectory !== null && damage.sizeBytes > 0) {
      const path = `${quarantineDirectory}/${String(segment.segment).padStart(6, '0')}-${damage.offset}.bytes`
      try {
        await copyAside(files, segment.path, path, damage.offset, damage.sizeBytes)
        quarantinePath = path
      } catch (error) {
        // The damaged bytes stay where they are; a copy of them is not worth a database that does not start.
        message += `; not copied aside: ${error instanceof Error ? error.message : String(error)}`
      }
    }
    const lostCount = damage.sequenceEnd - damage.sequenceFirst
    if (lostCount > 0) message += `; ${lostCount} records lost, from ${damage.sequenceFirst} on`
    this.#damages.push({
      path: segment.path,
      ...damage,
      quarantinePath,
      message: `${segment.path} at byte ${damage.offset}: ${message}`,
    })
  }

  #progress(sizeBytes: number): void {
    this.#readBytes += sizeBytes
    const { onProgress, segments } = this.#request
    if (onProgress === undefined || this.#readBytes < this.#progressBytes) return
    this.#progressBytes = this.#readBytes + PROGRESS_STEP_BYTES
    const totalBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
    onProgress({ readBytes: this.#readBytes, totalBytes, recordCount: this.#recordCount })
  }
}

/** The sequence before which everything was durable, as far as the records from `offset` on tell. */
async function durableEndAfter(
  file: File,
  segment: FoundSegment,
  header: SegmentHeader,
  offset: number,
): Promise<number> {
  const reader = new SegmentReader({ file, path: segment.path, sizeBytes: segment.sizeBytes, header, offset })
  let durableEnd = -1
  for (;;) {
    const piece = reader.nextInWindow() ?? (await reader.next())
    if (piece === null) return durableEnd
    if (piece.kind === 'record') durableEnd = Math.max(durableEnd, piece.durableSequence)
  }
}

async function cutOff(files: FileSystem, path: string, offset: number): Promise<void> {
  const file = await files.open(path, 'append')
  try {
    await file.truncate(offset)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function copyAside(
  files: FileSystem,
  from: string,
  to: string,
  offset: number,
  sizeBytes: number,
): Promise<void> {
  if ((await files.stat(to))?.sizeBytes === sizeBytes) return
  const folder = to.slice(0, to.lastIndexOf('/'))
  await files.makeDirectory(folder)
  await withFile(files, from, async (source) => {
    const target = await files.open(to, 'append')
    try {
      await target.truncate(0)
      const buffer = new Uint8Array(Math.min(sizeBytes, COPY_SIZE_BYTES))
      for (let done = 0; done < sizeBytes; ) {
        const part = buffer.subarray(0, Math.min(buffer.length, sizeBytes - done))
        const count = await source.read(part, offset + done)
        if (count === 0) break
        await target.write(part.subarray(0, count))
        done += count
      }
      await target.sync()
    } finally {
      await target.close()
    }
  })
  await files.syncDirectory(folder)
}

async function withFile<T>(files: FileSystem, path: string, use: (file: File) => Promise<T>): Promise<T> {
  const file = await files.open(path, 'read')
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}
