/**
 * Brings the head back from the commit log after a start.
 *
 * References in the log are those of the process that wrote it; they are mapped to new ones as declarations come by.
 * Samples of windows that were sealed after they were logged are left out.
 */
import { type LogRecord, RecordType } from './commit-log/index.js'
import {
  decodeSampleBatch,
  decodeSeriesDeclarations,
  decodeTombstones,
  decodeWatermarks,
  type ShardSamples,
} from './commit-log/records.js'
import { decodeWindowBatch, type ShardWindow } from './commit-log/window-record.js'
import { StorageError } from './errors.js'
import { LateSampleFinder } from './late-samples.js'
import type { LocalNamespace } from './local-namespace.js'
import type { LocalShard } from './local-shard.js'
import type { Watermark } from './namespace.js'
import { DEFAULT_NAMESPACE } from './options.js'
import type { SampleBatch } from './shard.js'
import { bitCount } from './window-batch.js'

export interface RecoveryParts {
  readonly namespaceById: (id: number) => LocalNamespace | undefined
  readonly sealedBefore: (namespace: LocalNamespace, shard: number, windowStartMs: number) => number
  readonly watermark: (mark: Watermark) => void
}

export class Recovery {
  readonly #parts: RecoveryParts
  /** By shard: reference in the log → reference now, 0 where it was not declared. */
  readonly #maps = new Map<LocalShard, { refs: Uint32Array }>()
  readonly late = new LateSampleFinder()
  sampleCount = 0
  /** Samples whose series' declaration was lost with a damaged record. */
  #undeclaredCount = 0
  /** Records that pass their checksum and cannot be read all the same. */
  readonly #unreadable: string[] = []

  constructor(parts: RecoveryParts) {
    this.#parts = parts
  }

  /** What of the log could not be used, for people. */
  losses(): string[] {
    const count = this.#undeclaredCount
    if (count === 0) return this.#unreadable
    return [...this.#unreadable, `${count} samples of the commit log belong to series whose labels were lost`]
  }

  /** A record that cannot be read costs its own samples, not all others. */
  apply(record: LogRecord): void {
    try {
      this.#apply(record)
    } catch (error) {
      if (!(error instanceof StorageError && error.code === 'CORRUPT')) throw error
      this.#unreadable.push(`a record of segment ${record.segment} cannot be read: ${error.message}`)
    }
  }

  #apply(record: LogRecord): void {
    switch (record.type) {
      case RecordType.SeriesDeclarations:
        this.#declare(record.payload)
        return
      case RecordType.SampleBatch:
        this.#samples(decodeSampleBatch(record.payload), record.segment)
        return
      case RecordType.Watermarks: {
        const { marks, samples } = decodeWatermarks(record.payload)
        this.#samples(samples, record.segment)
        for (const { key, windowEndMs } of marks) {
          const space = key.indexOf(' ')
          const shard = Number(key.slice(0, space))
          const mark = { policy: key.slice(space + 1), shard, timestampMs: windowEndMs }
          this.late.addWatermark(mark)
          this.#parts.watermark(mark)
        }
        return
      }
      case RecordType.WindowBatch:
        this.#window(decodeWindowBatch(record.payload), record.segment)
        return
      case RecordType.Tombstones:
        this.#delete(record.payload)
        return
      default:
        // Namespaces have a manifest of their own.
        return
    }
  }

  #declare(payload: Uint8Array): void {
    const { namespaceId, shard: number, seriesRefs, canonicalLabels, offsets } = decodeSeriesDeclarations(payload)
    const shard = this.#shard(namespaceId, number)
    if (shard === undefined) return
    const map = this.#map(shard)
    for (let i = 0; i < seriesRefs.length; i++) {
      const ref = shard.head.resolve(canonicalLabels, offsets[i], offsets[i + 1], () => undefined)
      if (seriesRefs[i] >= map.refs.length) map.refs = grown(map.refs, seriesRefs[i])
      map.refs[seriesRefs[i]] = ref
    }
  }

  #samples({ namespaceId, shard: number, batch }: ShardSamples, segment: number): void {
    const namespace = this.#parts.namespaceById(namespaceId)
    const shard = namespace?.shards[number]
    if (namespace === undefined || shard === undefined) return
    const { stride } = shard.head
    const { refs } = this.#map(shard)
    const keys = batch.seriesRefs
    for (let k = 0; k < batch.count; k++) {
      const logRef = stride === 1 ? keys[k] : Math.floor(keys[k] / stride)
      const ref = logRef < refs.length ? refs[logRef] : 0
      if (ref === 0) this.#undeclaredCount++
      keys[k] = stride === 1 ? ref : ref * stride + (keys[k] % stride)
    }
    if (namespace.name === DEFAULT_NAMESPACE) {
      const shardCount = namespace.shards.length
      for (let k = 0; k < batch.count; k++) {
        if (keys[k] !== 0)
          this.late.addSample(keys[k] * shardCount + (shardCount > 1 ? number : 0), batch.timestampsMs[k])
      }
    }
    this.sampleCount += batch.count
    shard.replay(batch, segment, this.#skips(namespace, shard, batch, segment))
  }

  #window({ namespaceId, shard: number, batch }: ShardWindow, segment: number): void {
    const namespace = this.#parts.namespaceById(namespaceId)
    const shard = namespace?.shards[number]
    if (namespace === undefined || shard === undefined || shard.head.stride === 1) return
    const { stride } = shard.head
    const { refs } = this.#map(shard)
    const keys = batch.seriesRefs
    for (let i = 0; i < batch.count; i++) {
      const logRef = keys[i] / stride
      const ref = logRef < refs.length ? refs[logRef] : 0
      if (ref === 0) this.#undeclaredCount += bitCount(batch.masks[i])
      keys[i] = ref * stride
    }
    const { blockSizeMs } = namespace.options
    const startMs = Math.floor(batch.timestampMs / blockSizeMs) * blockSizeMs
    if (segment < this.#parts.sealedBefore(namespace, number, startMs)) return
    shard.replayWindow(batch, segment)
  }

  /** Tells which samples are in sealed blocks already; most batches lie within one window. */
  #skips(
    namespace: LocalNamespace,
    shard: LocalShard,
    batch: SampleBatch,
    segment: number,
  ): ((k: number) => boolean) | undefined {
    const { blockSizeMs } = namespace.options
    let startMs = Number.NaN
    let isSealed = false
    const skips = (k: number): boolean => {
      const windowMs = Math.floor(batch.timestampsMs[k] / blockSizeMs) * blockSizeMs
      if (windowMs !== startMs) {
        startMs = windowMs
        isSealed = segment < this.#parts.sealedBefore(namespace, shard.number, windowMs)
      }
      return isSealed
    }
    for (let k = 0; k < batch.count; k++) if (skips(k)) return skips
    return undefined
  }

  #delete(payload: Uint8Array): void {
    const { namespaceId, shard: number, startMs, endMs, seriesRefs } = decodeTombstones(payload)
    const shard = this.#shard(namespaceId, number)
    if (shard === undefined) return
    const { refs } = this.#map(shard)
    const known = seriesRefs.map((ref) => (ref < refs.length ? refs[ref] : 0)).filter((ref) => ref !== 0)
    shard.deleteFromHead(known, startMs, endMs)
  }

  #shard(namespaceId: number, number: number): LocalShard | undefined {
    return this.#parts.namespaceById(namespaceId)?.shards[number]
  }

  #map(shard: LocalShard): { refs: Uint32Array } {
    let map = this.#maps.get(shard)
    if (map === undefined) this.#maps.set(shard, (map = { refs: new Uint32Array(1024) }))
    return map
  }
}

function grown(refs: Uint32Array, ref: number): Uint32Array {
  const larger = new Uint32Array(Math.ceil(ref * 1.5) + 16)
  larger.set(refs)
  return larger
}
