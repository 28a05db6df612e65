/**
 * The answer of a remote read in its `SAMPLES` form, into columns.
 *
 * Values are copied by their bits: a staleness marker would not survive a plain number in every engine.
 */
import { Labels } from '@varve/tsdb-core/model'
import { ProtobufReader } from '../ingest/protobuf-reader.js'
import type { SampleColumns } from './merge-replicas.js'

export interface RemoteSeries extends SampleColumns {
  readonly labels: Labels
}

export interface RemoteAnswer {
  readonly series: readonly RemoteSeries[]
  /** Native histograms are left out of merged answers; how many there were. */
  readonly histogramCount: number
}

/** @throws {WireError} for bytes that are not such a message. */
export function decodeReadResponse(bytes: Uint8Array): RemoteAnswer {
  const series: RemoteSeries[] = []
  let histogramCount = 0
  const response = new ProtobufReader(bytes)
  while (response.next()) {
    if (response.field !== 1) {
      response.skip()
      continue
    }
    const resultSpan = response.span()
    const result = new ProtobufReader(bytes, resultSpan.at, resultSpan.end)
    while (result.next()) {
      if (result.field !== 1) {
        result.skip()
        continue
      }
      const span = result.span()
      const one = decodeSeries(bytes, span)
      histogramCount += one.histogramCount
      if (one.series.timestampsMs.length > 0) series.push(one.series)
    }
  }
  return { series, histogramCount }
}

function decodeSeries(bytes: Uint8Array, { at, end }: { at: number; end: number }) {
  const pairs: [string, string][] = []
  let timestampsMs = new Float64Array(16)
  let valueBits = new BigUint64Array(16)
  let count = 0
  let histogramCount = 0
  const reader = new ProtobufReader(bytes, at, end)
  while (reader.next()) {
    if (reader.field === 1) pairs.push(decodeLabel(bytes, reader.span()))
    else if (reader.field === 2) {
      if (count === timestampsMs.length) {
        timestampsMs = grown(timestampsMs, new Float64Array(count * 2))
        valueBits = grown(valueBits, new BigUint64Array(count * 2))
      }
      const span = reader.span()
      const sample = new ProtobufReader(bytes, span.at, span.end)
      while (sample.next()) {
        if (sample.field === 1) valueBits[count] = sample.doubleBits()
        else if (sample.field === 2) timestampsMs[count] = sample.int64()
        else sample.skip()
      }
      count++
    } else {
      if (reader.field === 4) histogramCount++
      reader.skip()
    }
  }
  const values = new Float64Array(valueBits.buffer, 0, count)
  return {
    series: { labels: Labels.from(pairs), timestampsMs: timestampsMs.subarray(0, count), values },
    histogramCount,
  }
}

function decodeLabel(bytes: Uint8Array, { at, end }: { at: number; end: number }): [string, string] {
  let name = ''
  let value = ''
  const reader = new ProtobufReader(bytes, at, end)
  while (reader.next()) {
    if (reader.field !== 1 && reader.field !== 2) {
      reader.skip()
      continue
    }
    const span = reader.span()
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + span.at, span.end - span.at).toString('utf8')
    if (reader.field === 1) name = text
    else value = text
  }
  return [name, value]
}

function grown<T extends Float64Array | BigUint64Array>(from: T, into: T): T {
  into.set(from as never)
  return into
}
