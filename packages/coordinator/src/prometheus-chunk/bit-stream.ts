/**
 * Runs of bits, the first one in the highest bit of a byte, as Prometheus' chunks have them.
 *
 * Numbers of more than 32 bits travel as two halves, and whole numbers as doubles within ±2^53.
 */
export class BitWriter {
  #bytes = new Uint8Array(256)
  #bitCount = 0

  /** The lowest `count` bits of `value`, at most 32. */
  write(value: number, count: number): void {
    this.#reserve(count)
    for (let left = count; left > 0; ) {
      const free = 8 - (this.#bitCount & 7)
      const taken = Math.min(free, left)
      const bits = (value >>> (left - taken)) & ((1 << taken) - 1)
      this.#bytes[this.#bitCount >>> 3] |= bits << (free - taken)
      this.#bitCount += taken
      left -= taken
    }
  }

  /** The lowest `count` bits of the 64-bit number with these halves. */
  write64(high: number, low: number, count = 64): void {
    if (count > 32) this.write(high, count - 32)
    this.write(low, Math.min(count, 32))
  }

  /** A copy of what was written, filled up with zero bits. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, (this.#bitCount + 7) >>> 3)
  }

  #reserve(count: number): void {
    const needed = ((this.#bitCount + count + 7) >>> 3) + 1
    if (needed <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}

/** Thrown when bits are wanted beyond the end. */
export class EndOfBits extends Error {}

export class BitReader {
  readonly #bytes: Uint8Array
  #bitOffset: number

  constructor(bytes: Uint8Array, byteOffset = 0) {
    this.#bytes = bytes
    this.#bitOffset = byteOffset * 8
  }

  get bitOffset(): number {
    return this.#bitOffset
  }

  /** Up to 32 bits as an unsigned number. */
  read(count: number): number {
    if (this.#bitOffset + count > this.#bytes.length * 8) {
      throw new EndOfBits(`${count} bits were wanted at bit ${this.#bitOffset} of ${this.#bytes.length * 8}`)
    }
    let value = 0
    for (let left = count; left > 0; ) {
      const held = 8 - (this.#bitOffset & 7)
      const taken = Math.min(held, left)
      const bits = (this.#bytes[this.#bitOffset >>> 3] >>> (held - taken)) & ((1 << taken) - 1)
      value = ((value << taken) | bits) >>> 0
      this.#bitOffset += taken
      left -= taken
    }
    return value
  }

  /** How many one bits come before the next zero bit, or `max` when there are that many; the zero is consumed. */
  readPrefix(max: number): number {
    let ones = 0
    while (ones < max && this.read(1) === 1) ones++
    return ones
  }
}
