/**
 * Label names and values, each kept once: text ⇄ a small number.
 *
 * Looked up by UTF-8 bytes, so that labels from the wire are never turned into strings when they are known already. The
 * strings stand beside the bytes for readers. Symbol 0 is the empty text. Symbols are never removed.
 */
import { hashBytes } from '../model/canonical-labels.js'
import { grownU8, grownU32 } from './growable.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export class SymbolTable {
  /** Text of each symbol. It grows; an id never changes its text. */
  readonly texts: string[] = ['']
  #bytes: Uint8Array = new Uint8Array(1024)
  #offsets: Uint32Array = new Uint32Array(64)
  #count = 1
  /** Symbol ids, 0 for a free place; its length is a power of two. */
  #table: Uint32Array = new Uint32Array(256)
  #textBytes = 0

  get count(): number {
    return this.#count
  }

  get sizeBytes(): number {
    return this.#bytes.length + this.#offsets.byteLength + this.#table.byteLength + this.#textBytes
  }

  /** Makes room for so many symbols at once: growing step by step hashes all of them anew each time. */
  reserve(count: number): void {
    let length = this.#table.length
    while (length < count * 2) length *= 2
    if (length > this.#table.length) this.#rehash(length)
  }

  /** The text's symbol, made if need be. The bytes are copied. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return 0
    const hash = hashBytes(bytes, start, end)
    const found = this.#lookup(bytes, start, end, hash)
    return found !== 0 ? found : this.#add(bytes, start, end, hash)
  }

  internText(text: string): number {
    const bytes = encoder.encode(text)
    return this.intern(bytes, 0, bytes.length)
  }

  /** The text's symbol, or -1 when there is none. */
  find(text: string): number {
    if (text === '') return 0
    const bytes = encoder.encode(text)
    const found = this.#lookup(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length))
    return found === 0 ? -1 : found
  }

  equals(symbol: number, bytes: Uint8Array, start: number, end: number): boolean {
    const own = this.#bytes
    let at = this.#offsets[symbol]
    if (this.#offsets[symbol + 1] - at !== end - start) return false
    for (let i = start; i < end; i++) if (own[at++] !== bytes[i]) return false
    return true
  }

  lengthOf(symbol: number): number {
    return this.#offsets[symbol + 1] - this.#offsets[symbol]
  }

  /** Copies the text's bytes and returns where they end. */
  copy(symbol: number, out: Uint8Array, at: number): number {
    const start = this.#offsets[symbol]
    const end = this.#offsets[symbol + 1]
    for (let i = start; i < end; i++) out[at++] = this.#bytes[i]
    return at
  }

  #lookup(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const table = this.#table
    const mask = table.length - 1
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const symbol = table[place]
      if (symbol === 0 || this.equals(symbol, bytes, start, end)) return symbol
    }
  }

  #add(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const symbol = this.#count++
    const at = this.#offsets[symbol]
    const next = at + (end - start)
    this.#bytes = grownU8(this.#bytes, next)
    this.#bytes.set(bytes.subarray(start, end), at)
    this.#offsets = grownU32(this.#offsets, symbol + 2)
    this.#offsets[symbol + 1] = next
    const text = decoder.decode(bytes.subarray(start, end))
    this.texts.push(text)
    this.#textBytes += 24 + text.length
    if (this.#count * 2 > this.#table.length) this.#rehash(this.#table.length * 2)
    else this.#place(symbol, hash)
    return symbol
  }

  #rehash(length: number): void {
    this.#table = new Uint32Array(length)
    for (let symbol = 1; symbol < this.#count; symbol++) {
      this.#place(symbol, hashBytes(this.#bytes, this.#offsets[symbol], this.#offsets[symbol + 1]))
    }
  }

  #place(symbol: number, hash: number): void {
    const mask = this.#table.length - 1
    let place = hash & mask
    while (this.#table[place] !== 0) place = (place + 1) & mask
    this.#table[place] = symbol
  }
}
