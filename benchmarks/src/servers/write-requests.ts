/**
 * The fleet as remote-write request bodies: what Prometheus would send, encoded once and kept in a file, so that every
 * server gets the same bytes and the sender costs next to nothing.
 *
 *     file      u32 little-endian size, snappy-compressed WriteRequest; and so on
 *
 * A request holds the samples of a few hosts at one step. Bytes of the messages: Prometheus, prompb/remote.proto.
 */
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compressSync } from 'snappy'
import { FLEET_VERSION, type Fleet } from '../fleet/fleet.js'

/** As Prometheus' queue manager sends them. */
export const SAMPLES_PER_REQUEST = 2_000

const TEXT = new TextEncoder()

/** Writes the file if it is not there yet, and returns its path. Takes a minute and a gigabyte for 47 M samples. */
export async function writeRequestsFile(fleet: Fleet): Promise<string> {
  const { hosts, steps, seed, startMs, stepMs } = fleet.options
  const folder = join(tmpdir(), 'varve-benchmarks')
  const path = join(folder, `fleet-v${FLEET_VERSION}-${hosts}x${steps}-${stepMs}-${startMs}-${seed}.requests`)
  if (await stat(path).catch(() => null)) return path
  await mkdir(folder, { recursive: true })
  const file = await open(`${path}.partial`, 'w')
  const labels = fleet.series.map((series) => encodeLabels(series.labels))
  const encoder = new RequestEncoder(labels)
  const size = new Uint8Array(4)
  for (const batch of fleet.batches(SAMPLES_PER_REQUEST)) {
    const body = encoder.encode(batch.series, batch.timestampsMs, batch.values, batch.count)
    new DataView(size.buffer).setUint32(0, body.length, true)
    await file.writev([size, body])
  }
  await file.close()
  await rename(`${path}.partial`, path)
  return path
}

/** The bodies, one after the other; each is valid until the next is asked for. */
export async function* readRequests(path: string): AsyncGenerator<Uint8Array> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(path, { highWaterMark: 4 << 20 })) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
    let at = 0
    while (rest.length - at >= 4) {
      const size = rest.readUInt32LE(at)
      if (rest.length - at - 4 < size) break
      yield rest.subarray(at + 4, at + 4 + size)
      at += 4 + size
    }
    rest = rest.subarray(at)
  }
}

/** Encodes one sample a series into a buffer that it keeps. */
export class RequestEncoder {
  readonly #labels: readonly Uint8Array[]
  #bytes = new Uint8Array(1 << 20)

  /** `labels[i]` are the encoded label fields of series i. */
  constructor(labels: readonly Uint8Array[]) {
    this.#labels = labels
  }

  encode(series: Uint32Array, timestampsMs: Float64Array, values: Float64Array, count: number): Uint8Array {
    let at = 0
    for (let k = 0; k < count; k++) {
      const labels = this.#labels[series[k]]
      const timestampMs = timestampsMs[k]
      // Sample: tag 9 and eight bytes, tag 16 and a varint of the time.
      const sampleSize = 9 + 1 + varintSize(timestampMs)
      const seriesSize = labels.length + 2 + sampleSize
      if (at + seriesSize + 16 > this.#bytes.length) this.#grow()
      const bytes = this.#bytes
      bytes[at++] = 0x0a
      at = writeVarint(bytes, at, seriesSize)
      bytes.set(labels, at)
      at += labels.length
      bytes[at++] = 0x12
      bytes[at++] = sampleSize
      bytes[at++] = 0x09
      // By bits, so that a staleness marker stays one.
      new Uint8Array(bytes.buffer, at, 8).set(new Uint8Array(values.buffer, values.byteOffset + k * 8, 8))
      at += 8
      bytes[at++] = 0x10
      at = writeVarint(bytes, at, timestampMs)
    }
    return compressSync(this.#bytes.subarray(0, at))
  }

  #grow(): void {
    const larger = new Uint8Array(this.#bytes.length * 2)
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}

/** `labels` fields of a TimeSeries from name, value, name, value …. */
export function encodeLabels(flat: readonly string[]): Uint8Array {
  const parts: number[] = []
  for (let i = 0; i < flat.length; i += 2) {
    const name = TEXT.encode(flat[i])
    const value = TEXT.encode(flat[i + 1])
    const label = new Uint8Array(2 * 6 + name.length + value.length)
    let at = 0
    label[at++] = 0x0a
    at = writeVarint(label, at, name.length)
    label.set(name, at)
    at += name.length
    label[at++] = 0x12
    at = writeVarint(label, at, value.length)
    label.set(value, at)
    at += value.length
    const size = new Uint8Array(6)
    const sizeEnd = writeVarint(size, 0, at)
    parts.push(0x0a, ...size.subarray(0, sizeEnd), ...label.subarray(0, at))
  }
  return Uint8Array.from(parts)
}

function varintSize(value: number): number {
  let size = 1
  for (; value >= 128; value = Math.floor(value / 128)) size++
  return size
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  for (; value >= 128; value = Math.floor(value / 128)) bytes[at++] = (value & 127) | 128
  bytes[at++] = value
  return at
}
