/**
 * The label texts of one answer as JSON strings, each escaped once however many series have it: a kernel puts label sets
 * together from them.
 */
import type { ResultLabelSets } from '@varve/promql'

/** Above this the texts are forgotten and written anew: answers of very many series would keep all of them. */
const SIZE_BYTES_MAX = 1 << 20

export class LabelTexts {
  readonly labels: ResultLabelSets
  /** Text t is `bytes[starts[t]..ends[t])`, quotes included; where `ends` is 0 it is not here. */
  bytes: Buffer = Buffer.allocUnsafe(2048)
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  #length = 0

  constructor(labels: ResultLabelSets) {
    this.labels = labels
    this.starts = new Uint32Array(labels.textCount)
    this.ends = new Uint32Array(labels.textCount)
  }

  /** From now on the texts of these series are here, maybe not those of others. */
  prepare(from: number, to: number): void {
    if (this.#length > SIZE_BYTES_MAX) {
      this.ends.fill(0)
      this.#length = 0
    }
    const { sets, pairs, offsets, text } = this.labels
    const { starts, ends } = this
    const before = this.#length
    const added: number[] = []
    let texts = ''
    for (let series = from; series < to; series++) {
      const set = sets[series]
      for (let i = offsets[set] * 2, end = offsets[set + 1] * 2; i < end; i++) {
        const id = pairs[i]
        if (ends[id] !== 0) continue
        starts[id] = before + texts.length
        texts += JSON.stringify(text(id))
        ends[id] = before + texts.length
        added.push(id)
      }
    }
    if (added.length === 0) return
    this.#reserve(texts.length * 3)
    this.#length += this.bytes.write(texts, before)
    // All ASCII: characters are bytes.
    if (this.#length - before === texts.length) return
    let at = before
    for (const id of added) {
      starts[id] = at
      at += Buffer.byteLength(JSON.stringify(text(id)))
      ends[id] = at
    }
  }

  #reserve(sizeBytes: number): void {
    const needed = this.#length + sizeBytes
    if (needed <= this.bytes.length) return
    const grown = Buffer.allocUnsafe(needed * 2)
    grown.set(this.bytes.subarray(0, this.#length))
    this.bytes = grown
  }
}
