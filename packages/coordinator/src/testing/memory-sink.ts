/**
 * A store for tests of the write path: it keeps what it is given and refuses by the rules of `Namespace.append`.
 */
import { type AppendResult, type Rejection, type SampleBatch, StorageError } from '@varve/tsdb-core'
import { decodeCanonicalLabels, type Histogram, halvesOf, type Labels } from '@varve/tsdb-core/model'
import type { WriteSink } from '../ingest/write-sink.js'

export interface StoredSample {
  readonly labels: string
  readonly timestampMs: number
  readonly bits: string
  readonly histogram?: Histogram
  readonly startTimestampMs?: number
}

export class MemorySink implements WriteSink {
  readonly samples: StoredSample[] = []
  readonly series: Labels[] = []
  resolveCount = 0
  seriesCountMax = Infinity
  futureMs = Infinity
  failure: StorageError | null = null
  readonly #refs = new Map<string, number>()
  readonly #deleted = new Set<number>()
  readonly #bits = new Map<string, string>()

  async resolve(canonicalLabels: Uint8Array, offsets: Uint32Array): Promise<Uint32Array> {
    this.resolveCount += offsets.length - 1
    const refs = new Uint32Array(offsets.length - 1)
    for (let i = 0; i < refs.length; i++) {
      const labels = decodeCanonicalLabels(canonicalLabels, offsets[i], offsets[i + 1])
      let ref = this.#refs.get(labels.key)
      if (ref === undefined) {
        if (this.#refs.size >= this.seriesCountMax)
          throw new StorageError('LIMIT_EXCEEDED', 'too many series: wanted 2')
        ref = this.series.length
        this.series.push(labels)
        this.#refs.set(labels.key, ref)
      }
      refs[i] = ref
    }
    return refs
  }

  /** As when a series was idle for long: its reference is gone for ever. */
  evict(ref: number): void {
    this.#deleted.add(ref)
    this.#refs.delete(this.series[ref].key)
  }

  async append(batch: SampleBatch): Promise<AppendResult> {
    await null
    if (this.failure !== null) throw this.failure
    const rejections: Rejection[] = []
    const halves = halvesOf(batch.values)
    const histograms = new Map<number, Histogram>()
    batch.histograms?.sampleIndexes.forEach((index, k) => {
      histograms.set(index, batch.histograms?.histograms[k] as Histogram)
    })
    for (let k = 0; k < batch.count; k++) {
      const ref = batch.seriesRefs[k]
      const timestampMs = batch.timestampsMs[k]
      const hex = (half: number) => half.toString(16).padStart(8, '0')
      const bits = `${hex(halves[2 * k + 1])}${hex(halves[2 * k])}`
      const key = `${ref} ${timestampMs}`
      const known = this.#bits.get(key)
      if (ref >= this.series.length || this.#deleted.has(ref)) {
        rejections.push({ sampleIndex: k, reason: 'UNKNOWN_SERIES' })
      } else if (timestampMs < 0) rejections.push({ sampleIndex: k, reason: 'TOO_OLD' })
      else if (timestampMs > this.futureMs) rejections.push({ sampleIndex: k, reason: 'TOO_FAR_AHEAD' })
      else if (known !== undefined && known !== bits) rejections.push({ sampleIndex: k, reason: 'DUPLICATE' })
      else if (known === undefined) {
        this.#bits.set(key, bits)
        const histogram = histograms.get(k)
        const startTimestampMs = batch.startTimestampsMs?.[k]
        this.samples.push({
          labels: this.series[ref].toString(),
          timestampMs,
          bits,
          ...(histogram ? { histogram } : {}),
          ...(startTimestampMs ? { startTimestampMs } : {}),
        })
      }
    }
    return { appendedCount: batch.count - rejections.length, rejections }
  }

  labelsOf(ref: number): Labels | undefined {
    return this.series[ref]
  }
}
