/**
 * The labels of one series that the cache does not know: parsed from their bytes, checked by Prometheus' rules, canonical.
 *
 * Refused (the series only, the rest of the request is stored): no metric name, an empty label name, a name that comes
 * twice, bytes that are not UTF-8, more or longer labels than the limits allow. Labels with an empty value are absent ones
 * and left out, unsorted ones are sorted, as Prometheus does.
 */
import { isUtf8 } from 'node:buffer'
import { LABEL_SIZE_BYTES_MAX, Labels } from '@varve/tsdb-core/model'
import { FAULT, WireError } from '../wire-error.js'
import { skipField, varintNumber, varintSize } from './protobuf-field.js'
import { skipFault } from './scan-sample.js'
import type { WriteLimits } from './write-columns.js'

/** Why a series is refused. A closed set: it groups the answer and labels a metric. */
export type SeriesFault =
  | 'missing metric name'
  | 'empty label name'
  | 'duplicate label name'
  | 'invalid UTF-8'
  | 'too many labels'
  | 'label name too long'
  | 'label value too long'
  | 'labels too long'

const SPAN_STRIDE = 4
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class SeriesLabels {
  /** Of the last series: name offset, name length, value offset, value length; sorted by name. */
  #spans = new Uint32Array(SPAN_STRIDE * 128)
  #count = 0
  #bytes: Uint8Array = new Uint8Array(0)

  /**
   * Takes in a series' label fields, `[offset, offset + length)`. Memory: `bytes` is looked at until the next call.
   *
   * Returns why the series is refused, or null when it is fine.
   * @throws {WireError} when the bytes are not protobuf: the whole request is then refused.
   */
  parse(bytes: Uint8Array, offset: number, length: number, limits: WriteLimits): SeriesFault | null {
    this.#bytes = bytes
    this.#count = 0
    if (length > limits.labelSizeBytesMax) return 'labels too long'
    for (let at = offset, end = offset + length; at < end; ) {
      const fieldSize = varintSize(bytes, at + 1, end)
      const from = at + 1 + fieldSize
      const to = from + varintNumber(bytes, at + 1, fieldSize)
      this.#parseLabel(bytes, from, to)
      at = to
    }
    return this.#check(limits)
  }

  #parseLabel(bytes: Uint8Array, at: number, end: number): void {
    if ((this.#count + 1) * SPAN_STRIDE > this.#spans.length) {
      const wider = new Uint32Array(this.#spans.length * 2)
      wider.set(this.#spans)
      this.#spans = wider
    }
    const span = this.#count++ * SPAN_STRIDE
    this.#spans.fill(0, span, span + SPAN_STRIDE)
    while (at < end) {
      const fieldAt = at
      const tagSize = varintSize(bytes, at, end)
      if (tagSize === 0) throw WireError.of(FAULT.VARINT, fieldAt)
      const tag = varintNumber(bytes, at, tagSize)
      if (tag < 8 || tag > 0xffff_ffff) throw WireError.of(FAULT.TAG, fieldAt)
      at += tagSize
      const field = tag >>> 3
      if (field > 2) {
        at = skipField(bytes, at, end, tag)
        if (at < 0) throw WireError.of(skipFault(tag), fieldAt)
        continue
      }
      if ((tag & 7) !== 2) throw WireError.of(FAULT.WIRE_TYPE, fieldAt)
      const lengthSize = varintSize(bytes, at, end)
      if (lengthSize === 0) throw WireError.of(FAULT.VARINT, fieldAt)
      const length = varintNumber(bytes, at, lengthSize)
      at += lengthSize
      if (at + length > end) throw WireError.of(FAULT.FIELD_TOO_LONG, fieldAt)
      this.#spans[span + (field - 1) * 2] = at
      this.#spans[span + (field - 1) * 2 + 1] = length
      at += length
    }
  }

  #check(limits: WriteLimits): SeriesFault | null {
    const spans = this.#spans
    if (this.#count > limits.labelCountMax) return 'too many labels'
    let named = false
    let sorted = true
    let kept = 0
    for (let i = 0; i < this.#count; i++) {
      const span = i * SPAN_STRIDE
      const nameLength = spans[span + 1]
      const valueLength = spans[span + 3]
      if (nameLength === 0) return 'empty label name'
      if (nameLength > Math.min(limits.labelNameSizeBytesMax, LABEL_SIZE_BYTES_MAX)) return 'label name too long'
      if (valueLength > Math.min(limits.labelValueSizeBytesMax, LABEL_SIZE_BYTES_MAX)) return 'label value too long'
      if (!this.#isText(spans[span], nameLength) || !this.#isText(spans[span + 2], valueLength)) return 'invalid UTF-8'
      if (valueLength === 0) continue
      spans.copyWithin(kept * SPAN_STRIDE, span, span + SPAN_STRIDE)
      if (kept > 0) {
        const order = this.#compareNames(kept - 1, kept)
        if (order === 0) return 'duplicate label name'
        if (order > 0) sorted = false
      }
      if (this.#isMetricName(kept)) named = true
      kept++
    }
    this.#count = kept
    if (!named) return 'missing metric name'
    if (!sorted) {
      this.#sort()
      for (let i = 1; i < kept; i++) if (this.#compareNames(i - 1, i) === 0) return 'duplicate label name'
    }
    return null
  }

  /** Bytes that `writeCanonical` will write. */
  get canonicalSizeBytes(): number {
    let size = 0
    for (let i = 0; i < this.#count * SPAN_STRIDE; i += 2) {
      const length = this.#spans[i + 1]
      size += length + (length < 0x80 ? 1 : length < 0x4000 ? 2 : 3)
    }
    return size
  }

  /** Writes the canonical form (tsdb-core's model/canonical-labels.ts) and returns where it ends. */
  writeCanonical(out: Uint8Array, at: number): number {
    for (let i = 0; i < this.#count * SPAN_STRIDE; i += 2) {
      const from = this.#spans[i]
      let length = this.#spans[i + 1]
      const to = from + length
      while (length >= 0x80) {
        out[at++] = (length & 0x7f) | 0x80
        length >>>= 7
      }
      out[at++] = length
      for (let k = from; k < to; k++) out[at++] = this.#bytes[k]
    }
    return at
  }

  /** As text, for relabelling, exemplars and messages. */
  toLabels(): Labels {
    const flat: string[] = []
    for (let i = 0; i < this.#count * SPAN_STRIDE; i += 2) {
      flat.push(decoder.decode(this.#bytes.subarray(this.#spans[i], this.#spans[i] + this.#spans[i + 1])))
    }
    return Labels.fromSorted(flat)
  }

  /** What the labels look like, however wrong they are; at most 200 characters. */
  describe(): string {
    const pairs: string[] = []
    const text = (at: number) =>
      Buffer.from(
        this.#bytes.buffer,
        this.#bytes.byteOffset + this.#spans[at],
        Math.min(this.#spans[at + 1], 60),
      ).toString()
    for (let i = 0; i < Math.min(this.#count, 8); i++) {
      pairs.push(`${JSON.stringify(text(i * SPAN_STRIDE))}=${JSON.stringify(text(i * SPAN_STRIDE + 2))}`)
    }
    const shown = `{${pairs.join(', ')}${this.#count > 8 ? ', …' : ''}}`
    return shown.length > 200 ? `${shown.slice(0, 199)}…` : shown
  }

  #isText(offset: number, length: number): boolean {
    const bytes = this.#bytes
    for (let i = offset; i < offset + length; i++) {
      if (bytes[i] >= 0x80) return isUtf8(bytes.subarray(offset, offset + length))
    }
    return true
  }

  #isMetricName(index: number): boolean {
    const span = index * SPAN_STRIDE
    if (this.#spans[span + 1] !== METRIC_NAME_BYTES.length) return false
    const at = this.#spans[span]
    for (let i = 0; i < METRIC_NAME_BYTES.length; i++) if (this.#bytes[at + i] !== METRIC_NAME_BYTES[i]) return false
    return true
  }

  #compareNames(a: number, b: number): number {
    const spans = this.#spans
    const aAt = spans[a * SPAN_STRIDE]
    const bAt = spans[b * SPAN_STRIDE]
    const aLength = spans[a * SPAN_STRIDE + 1]
    const bLength = spans[b * SPAN_STRIDE + 1]
    for (let i = 0; i < aLength && i < bLength; i++) {
      const difference = this.#bytes[aAt + i] - this.#bytes[bAt + i]
      if (difference !== 0) return difference
    }
    return aLength - bLength
  }

  /** Insertion sort: labels are few, and nearly sorted when they are not. */
  #sort(): void {
    const spans = this.#spans
    for (let i = 1; i < this.#count; i++) {
      for (let k = i; k > 0 && this.#compareNames(k - 1, k) > 0; k--) {
        for (let field = 0; field < SPAN_STRIDE; field++) {
          const at = k * SPAN_STRIDE + field
          const other = spans[at - SPAN_STRIDE]
          spans[at - SPAN_STRIDE] = spans[at]
          spans[at] = other
        }
      }
    }
  }
}

const METRIC_NAME_BYTES = new TextEncoder().encode('__name__')
