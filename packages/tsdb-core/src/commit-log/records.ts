/**
 * The payload of each record type, encoded and decoded.
 *
 * Encoders write into a `ByteWriter` that the caller owns and may use again, so that a batch costs no allocation:
 *
 *     writer.length = 0
 *     encodeSampleBatch(writer, { namespaceId, shard, batch })
 *     await log.append(RecordType.SampleBatch, [writer.view()])
 *
 * Decoders return columns of their own. They throw `CORRUPT` for a payload that is not what its type says: its checksum
 * held, so that a program with a bug, or a newer one, wrote it.
 *
 * References are those of (namespace, shard), and hold from their declaration on, in log order. A caller that removes old
 * segments declares again, in a segment that stays, what later records use.
 */

import { ByteReader, type ByteWriter } from '../bytes/byte-writer.js'
import { StorageError } from '../errors.js'
import type { SampleBatch } from '../shard.js'
import { readReferences, readTimes, readValues, writeReferences, writeTimes, writeValues } from './columns.js'
import { readHistogramColumn, writeHistogramColumn } from './histogram-column.js'

const HAS_START_TIMESTAMPS = 1
const HAS_HISTOGRAMS = 2
/** A batch whose columns take no bytes a sample is refused beyond this, before memory is taken for it. */
const SAMPLES_PER_RECORD_MAX = 4 * 1024 * 1024

/** Series i has reference `seriesRefs[i]` and the canonical label bytes `[offsets[i], offsets[i+1])`. */
export interface SeriesDeclarations {
  readonly namespaceId: number
  readonly shard: number
  readonly seriesRefs: Uint32Array
  readonly canonicalLabels: Uint8Array
  readonly offsets: Uint32Array
}

export interface ShardSamples {
  readonly namespaceId: number
  readonly shard: number
  readonly batch: SampleBatch
}

/** Samples of these series in `[startMs, endMs)` are deleted, as far as they stand before this record in the log. */
export interface Tombstones {
  readonly namespaceId: number
  readonly shard: number
  readonly startMs: number
  readonly endMs: number
  readonly seriesRefs: Uint32Array
}

/** How far rollups are final, with the samples of their last windows: after a crash all of it is there, or nothing. */
export interface Watermarks {
  readonly marks: readonly Watermark[]
  readonly samples: ShardSamples
}

export interface Watermark {
  /** Names the policy, the rule, or whatever else the writer keeps a mark for. */
  readonly key: string
  readonly windowEndMs: number
  /** Rises each time a window is computed again: the larger one holds. 0 where the writer does not count. */
  readonly computation: number
}

export interface NamespaceChange {
  readonly operation: 'put' | 'delete'
  readonly namespaceId: number
  readonly name: string
  /** The namespace's options as its owner writes them; empty for a delete. */
  readonly options: Uint8Array
}

export function encodeSeriesDeclarations(out: ByteWriter, declarations: SeriesDeclarations): void {
  const { seriesRefs, offsets, canonicalLabels } = declarations
  const count = seriesRefs.length
  writeAddress(out, declarations.namespaceId, declarations.shard)
  out.varint(count)
  writeReferences(out, seriesRefs, count)
  for (let i = 0; i < count; i++) out.varint(offsets[i + 1] - offsets[i])
  out.raw(canonicalLabels.subarray(count > 0 ? offsets[0] : 0, count > 0 ? offsets[count] : 0))
}

export function decodeSeriesDeclarations(payload: Uint8Array): SeriesDeclarations {
  const from = new ByteReader(payload, 'series declarations')
  const namespaceId = from.varint()
  const shard = from.varint()
  const count = from.count(1)
  const seriesRefs = readReferences(from, count)
  const offsets = new Uint32Array(count + 1)
  for (let i = 0; i < count; i++) {
    const end = offsets[i] + from.varint()
    if (end > payload.length) throw from.error(`labels of ${end} bytes, which the payload cannot hold`)
    offsets[i + 1] = end
  }
  const canonicalLabels = from.raw(offsets[count]).slice()
  from.end()
  return { namespaceId, shard, seriesRefs, canonicalLabels, offsets }
}

export function encodeSampleBatch(out: ByteWriter, samples: ShardSamples): void {
  writeAddress(out, samples.namespaceId, samples.shard)
  writeSamples(out, samples.batch)
}

export function decodeSampleBatch(payload: Uint8Array): ShardSamples {
  const from = new ByteReader(payload, 'sample batch')
  const samples = readShardSamples(from)
  from.end()
  return samples
}

export function encodeTombstones(out: ByteWriter, tombstones: Tombstones): void {
  writeAddress(out, tombstones.namespaceId, tombstones.shard)
  out.f64(tombstones.startMs)
  out.f64(tombstones.endMs)
  out.varint(tombstones.seriesRefs.length)
  writeReferences(out, tombstones.seriesRefs, tombstones.seriesRefs.length)
}

export function decodeTombstones(payload: Uint8Array): Tombstones {
  const from = new ByteReader(payload, 'tombstones')
  const namespaceId = from.varint()
  const shard = from.varint()
  const startMs = from.f64()
  const endMs = from.f64()
  const seriesRefs = readReferences(from, boundedCount(from))
  from.end()
  return { namespaceId, shard, startMs, endMs, seriesRefs }
}

export function encodeWatermarks(out: ByteWriter, watermarks: Watermarks): void {
  out.varint(watermarks.marks.length)
  for (const { key, windowEndMs, computation } of watermarks.marks) {
    out.text(key)
    out.f64(windowEndMs)
    out.f64(computation)
  }
  encodeSampleBatch(out, watermarks.samples)
}

export function decodeWatermarks(payload: Uint8Array): Watermarks {
  const from = new ByteReader(payload, 'watermarks')
  const count = from.count(17)
  const marks = Array.from({ length: count }, () => ({
    key: from.text(),
    windowEndMs: from.f64(),
    computation: from.f64(),
  }))
  const samples = readShardSamples(from)
  from.end()
  return { marks, samples }
}

export function encodeNamespaceChange(out: ByteWriter, change: NamespaceChange): void {
  out.u8(change.operation === 'put' ? 1 : 2)
  out.varint(change.namespaceId)
  out.text(change.name)
  out.blob(change.options)
}

export function decodeNamespaceChange(payload: Uint8Array): NamespaceChange {
  const from = new ByteReader(payload, 'namespace change')
  const operation = from.u8()
  if (operation !== 1 && operation !== 2) throw from.error(`unknown operation ${operation}`)
  const namespaceId = from.varint()
  const name = from.text()
  const options = from.blob().slice()
  from.end()
  return { operation: operation === 1 ? 'put' : 'delete', namespaceId, name, options }
}

function writeAddress(out: ByteWriter, namespaceId: number, shard: number): void {
  out.varint(namespaceId)
  out.varint(shard)
}

function writeSamples(out: ByteWriter, batch: SampleBatch): void {
  const { count, startTimestampsMs, histograms } = batch
  if (count > SAMPLES_PER_RECORD_MAX) {
    throw new StorageError(
      'INVALID_ARGUMENT',
      `a batch of ${count} samples: one record holds at most ${SAMPLES_PER_RECORD_MAX}`,
    )
  }
  const hasHistograms = histograms !== undefined && histograms.histograms.length > 0
  out.u8((startTimestampsMs ? HAS_START_TIMESTAMPS : 0) | (hasHistograms ? HAS_HISTOGRAMS : 0))
  out.varint(count)
  writeReferences(out, batch.seriesRefs, count)
  writeTimes(out, batch.timestampsMs, count)
  writeValues(out, batch.values, count)
  if (startTimestampsMs) writeTimes(out, startTimestampsMs, count)
  if (hasHistograms) writeHistogramColumn(out, histograms)
}

function readShardSamples(from: ByteReader): ShardSamples {
  const namespaceId = from.varint()
  const shard = from.varint()
  const flags = from.u8()
  if (flags & ~(HAS_START_TIMESTAMPS | HAS_HISTOGRAMS)) throw from.error(`unknown flags ${flags}`)
  const count = from.count(8)
  const batch: SampleBatch = {
    count,
    seriesRefs: readReferences(from, count),
    timestampsMs: readTimes(from, count),
    values: readValues(from, count),
    ...(flags & HAS_START_TIMESTAMPS ? { startTimestampsMs: readTimes(from, count) } : {}),
    ...(flags & HAS_HISTOGRAMS ? { histograms: readHistogramColumn(from, count) } : {}),
  }
  return { namespaceId, shard, batch }
}

function boundedCount(from: ByteReader): number {
  const count = from.varint()
  if (count > SAMPLES_PER_RECORD_MAX)
    throw from.error(`a count of ${count}, at most ${SAMPLES_PER_RECORD_MAX} is allowed`)
  return count
}
