/**
 * Appends bits to a byte buffer, highest bit first.
 *
 * Up to 31 bits wait in `held`, at its top; whole words go to the buffer. `finish` puts the waiting bits there too, without
 * moving on, so that a chunk can be read while it grows.
 */
export interface BitWriter {
  bytes: Uint8Array
  view: DataView
  /** Where the next whole word goes. */
  at: number
  /** The bits that wait, from bit 31 down. */
  held: number
  heldBits: number
}

export function newBitWriter(bytes: Uint8Array, at: number): BitWriter {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), at, held: 0, heldBits: 0 }
}

/** Appends the low `count` bits of `bits`, 1 to 32 of them; those above must be zero. The caller has made room. */
export function writeBits(writer: BitWriter, bits: number, count: number): void {
  const free = 32 - writer.heldBits
  if (count < free) {
    writer.held |= bits << (free - count)
    writer.heldBits += count
    return
  }
  const rest = count - free
  writer.view.setUint32(writer.at, writer.held | (bits >>> rest))
  writer.at += 4
  writer.held = rest === 0 ? 0 : bits << (32 - rest)
  writer.heldBits = rest
}

/** Writes the waiting bits, filled up to a byte with zeros, and returns the offset behind them; appending can go on. */
export function finishBits(writer: BitWriter): number {
  const size = (writer.heldBits + 7) >>> 3
  for (let index = 0; index < size; index++) writer.bytes[writer.at + index] = writer.held >>> (24 - 8 * index)
  return writer.at + size
}

/** Makes room for so many more bytes, besides those that wait. */
export function reserveBits(writer: BitWriter, sizeBytes: number): void {
  const needed = writer.at + sizeBytes + 8
  if (needed <= writer.bytes.length) return
  const larger = new Uint8Array(Math.max(needed, 2 * writer.bytes.length))
  larger.set(writer.bytes)
  writer.bytes = larger
  writer.view = new DataView(larger.buffer)
}
