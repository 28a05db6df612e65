/** Reads all of a log and changes nothing: for `varve verify`. */
import type { FileSystem } from '../env/file-system.js'
import { StorageError } from '../errors.js'
import type { LogDamage, LogRecord, ReplayReport } from './commit-log.js'
import { findSegments, readCloseMark } from './directory.js'
import { RecordType } from './format.js'
import {
  decodeNamespaceChange,
  decodeSampleBatch,
  decodeSeriesDeclarations,
  decodeTombstones,
  decodeWatermarks,
} from './records.js'
import { replaySegments } from './replay.js'
import { decodeWindowBatch } from './window-record.js'

const DECODERS: Record<RecordType, (payload: Uint8Array) => unknown> = {
  [RecordType.SeriesDeclarations]: decodeSeriesDeclarations,
  [RecordType.SampleBatch]: decodeSampleBatch,
  [RecordType.Tombstones]: decodeTombstones,
  [RecordType.Watermarks]: decodeWatermarks,
  [RecordType.NamespaceChange]: decodeNamespaceChange,
  [RecordType.WindowBatch]: decodeWindowBatch,
}

/**
 * Checks every record of the log in `directory`, and that none is missing between them.
 *
 * What a replay would do is told, not done: `tornTailBytes` would be cut off, `damages` be copied aside.
 * @throws {StorageError} `CORRUPT` for a segment that a newer version wrote.
 */
export async function verifyCommitLog(files: FileSystem, directory: string): Promise<ReplayReport> {
  const undecodable: LogDamage[] = []
  const { mark, damage } = await readCloseMark(files, directory)
  const { report } = await replaySegments({
    files,
    segments: await findSegments(files, directory),
    closeMark: mark,
    quarantineDirectory: null,
    apply(record) {
      const problem = decodingProblem(record)
      if (problem === null) return
      const path = `segment ${record.segment}`
      undecodable.push({
        path,
        offset: record.offset,
        sizeBytes: record.payload.length,
        quarantinePath: null,
        sequenceFirst: record.sequence,
        sequenceEnd: record.sequence + 1,
        message: `${path} at byte ${record.offset}: ${problem}`,
      })
    },
  })
  return { ...report, damages: [...(damage === null ? [] : [damage]), ...report.damages, ...undecodable] }
}

function decodingProblem(record: LogRecord): string | null {
  try {
    DECODERS[record.type](record.payload)
    return null
  } catch (error) {
    if (error instanceof StorageError) return error.message
    throw error
  }
}
