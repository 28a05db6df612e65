/**
 * Numbers for texts, in the order in which they come.
 *
 * A hash map of a million texts is made anew as it grows, all at once, for some 60 ms. So the first texts, which are all of
 * an ordinary query, stand in one map, and the others in many that stay small.
 */
const FIRST_MAX = 1 << 14
const PARTS = 128

export class TextIds {
  readonly #first = new Map<string, number>()
  #parts: (Map<string, number> | undefined)[] | undefined

  /** The text's number, if it has one. */
  get(text: string): number | undefined {
    const known = this.#first.get(text)
    return known !== undefined || this.#parts === undefined ? known : this.#parts[partOf(text)]?.get(text)
  }

  /** Of a text that has none yet. */
  set(text: string, id: number): void {
    if (this.#first.size < FIRST_MAX) {
      this.#first.set(text, id)
      return
    }
    const parts = (this.#parts ??= new Array<undefined>(PARTS).fill(undefined))
    const part = partOf(text)
    let map = parts[part]
    if (map === undefined) map = parts[part] = new Map()
    map.set(text, id)
  }
}

/** By length and the last characters: texts that are numbered mostly differ there. */
function partOf(text: string): number {
  let hash = text.length
  for (let i = Math.max(0, text.length - 8); i < text.length; i++) hash = Math.imul(hash, 31) + text.charCodeAt(i)
  return (hash ^ (hash >>> 7) ^ (hash >>> 14)) & (PARTS - 1)
}
