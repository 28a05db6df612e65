/** A query's text with places in it: in bytes, since that is how Prometheus counts, and as line and column for people. */
import type { PositionRange } from '../ast.js'
import { PromqlError } from '../errors.js'

export class Source {
  readonly text: string
  /** Byte offset of each UTF-16 unit; absent while both are the same. */
  readonly #bytes: Uint32Array | undefined

  constructor(text: string) {
    this.text = text
    if (!/^[\x00-\x7f]*$/.test(text)) this.#bytes = byteOffsets(text)
  }

  /** The byte at which a UTF-16 unit of the text stands. */
  byteAt(unit: number): number {
    return this.#bytes ? this.#bytes[unit] : unit
  }

  range(startUnit: number, endUnit: number): PositionRange {
    return { start: this.byteAt(startUnit), end: this.byteAt(endUnit) }
  }

  /** `line:column`, both from 1, the column in bytes. */
  lineColumn(byte: number): string {
    if (this.text === '') return 'unknown position'
    const { text } = this
    let line = 1
    let lineStart = 0
    for (let i = 0; i < text.length && this.byteAt(i) < byte; i++) {
      if (text[i] !== '\n') continue
      line++
      lineStart = this.byteAt(i) + 1
    }
    return `${line}:${byte - lineStart + 1}`
  }

  /** The error as Prometheus words it: the first place, then what is wrong. */
  parseError(position: PositionRange, message: string, options?: ErrorOptions): PromqlError {
    const text = `${this.lineColumn(position.start)}: parse error: ${message}`
    return new PromqlError('bad_data', text, { ...options, position })
  }
}

function byteOffsets(text: string): Uint32Array {
  const offsets = new Uint32Array(text.length + 1)
  let byte = 0
  for (let i = 0; i < text.length; i++) {
    offsets[i] = byte
    const code = text.codePointAt(i) ?? 0
    if (code > 0xffff) {
      offsets[++i] = byte
      byte += 4
    } else {
      byte += code < 0x80 ? 1 : code < 0x800 ? 2 : 3
    }
  }
  offsets[text.length] = byte
  return offsets
}
