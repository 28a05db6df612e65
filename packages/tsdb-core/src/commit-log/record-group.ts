/** Records that are written and synced together, and those who wait for them. */
import { crc32c } from '@varve/gorilla-codec'
import { payloadCrcSeed, RECORD_HEADER_SIZE_BYTES, type RecordType, writeRecordHeader } from './format.js'

interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

export class RecordGroup {
  recordCount = 0
  #bytes = new Uint8Array(64 * 1024)
  #sizeBytes = 0
  #waiters: Waiter[] = []

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Copies the parts; type and size stand in the header's place until the group is sealed. */
  add(type: RecordType, parts: readonly Uint8Array[]): void {
    const start = this.#sizeBytes
    let end = start + RECORD_HEADER_SIZE_BYTES
    for (const part of parts) end += part.length
    this.#grow(end)
    let at = start + RECORD_HEADER_SIZE_BYTES
    for (const part of parts) {
      this.#bytes.set(part, at)
      at += part.length
    }
    const view = new DataView(this.#bytes.buffer, start, RECORD_HEADER_SIZE_BYTES)
    view.setUint32(4, end - start - RECORD_HEADER_SIZE_BYTES, true)
    view.setUint8(16, type)
    this.#sizeBytes = end
    this.recordCount++
  }

  /** Copies the records of another group behind its own; who waits for those goes on waiting there. */
  absorb(other: RecordGroup): void {
    const start = this.#sizeBytes
    this.#grow(start + other.#sizeBytes)
    this.#bytes.set(other.#bytes.subarray(0, other.#sizeBytes), start)
    this.#sizeBytes = start + other.#sizeBytes
    this.recordCount += other.recordCount
  }

  /** Resolves or rejects with the group. */
  wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
    })
  }

  /**
   * Fills in the headers and gives the bytes to write. Can be done again, for another segment.
   *
   * `sequence` is that of the first record, `durableSequence` the first that is not known to be durable.
   */
  seal(salt: number, sequence: number, durableSequence: number): Uint8Array {
    const bytes = this.#bytes
    const view = new DataView(bytes.buffer)
    for (let at = 0; at < this.#sizeBytes; sequence++) {
      const payloadSizeBytes = view.getUint32(at + 4, true)
      const payloadStart = at + RECORD_HEADER_SIZE_BYTES
      const end = payloadStart + payloadSizeBytes
      writeRecordHeader(bytes, at, salt, {
        type: view.getUint8(at + 16),
        sequence,
        unsyncedCount: sequence - durableSequence,
        payloadSizeBytes,
        payloadCrc: crc32c(bytes, payloadStart, end, payloadCrcSeed(salt)),
      })
      at = end
    }
    return bytes.subarray(0, this.#sizeBytes)
  }

  resolve(): void {
    for (const waiter of this.#waiters.splice(0)) waiter.resolve()
  }

  reject(error: unknown): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
  }

  /** Empty again, with its memory kept. */
  clear(): this {
    this.#sizeBytes = 0
    this.recordCount = 0
    return this
  }

  #grow(sizeBytes: number): void {
    if (sizeBytes <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(sizeBytes, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#sizeBytes))
    this.#bytes = grown
  }
}
