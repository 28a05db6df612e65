/**
 * Buffers for request bodies, used again and again: touching fresh memory costs more than copying into warm memory.
 */
const SIZE_BYTES_MIN = 64 << 10

export class BodyPool {
  readonly #free = new Map<number, Uint8Array<ArrayBuffer>[]>()
  readonly #keepBytesMax: number
  #keptBytes = 0

  constructor(keepBytesMax: number) {
    this.#keepBytesMax = keepBytesMax
  }

  /** A buffer of at least `sizeBytes`, with whatever an earlier request left in it. */
  take(sizeBytes: number): Uint8Array<ArrayBuffer> {
    const size = sizeClass(sizeBytes)
    const kept = this.#free.get(size)?.pop()
    if (kept === undefined) return new Uint8Array(size)
    this.#keptBytes -= size
    return kept
  }

  /** The caller must not touch `buffer` afterwards. */
  giveBack(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#keptBytes + buffer.length > this.#keepBytesMax) return
    this.#keptBytes += buffer.length
    const list = this.#free.get(buffer.length)
    if (list === undefined) this.#free.set(buffer.length, [buffer])
    else list.push(buffer)
  }
}

function sizeClass(sizeBytes: number): number {
  let size = SIZE_BYTES_MIN
  while (size < sizeBytes) size *= 2
  return size
}
