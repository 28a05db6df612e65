/**
 * Which series of one index passed the matchers that were asked for last: dashboards ask the same again and again.
 *
 * An answer depends on the series of the index alone, not on their samples. So it holds as long as a sealed block does; in
 * the head until a series is made known, when the index forgets all of them.
 */

/** Of one index. What was asked for longest ago goes first. */
export const MATCHES_SIZE_BYTES_MAX = 1024 * 1024
/** A larger answer would push out many small ones, and takes longer to use than to find. */
const ANSWER_SIZE_BYTES_MAX = MATCHES_SIZE_BYTES_MAX / 2
/** A place in the map, the array beside its elements. */
const ENTRY_SIZE_BYTES = 200

export class MatchCache {
  /** The map's order is the order of use, oldest first. */
  readonly #answers = new Map<string, Uint32Array>()
  readonly #resized: (deltaBytes: number) => void
  /** Memory that it takes, about. */
  sizeBytes = 0

  /** @param resized told of each change of its size; it may call `clear`. */
  constructor(resized: (deltaBytes: number) => void = () => undefined) {
    this.#resized = resized
  }

  get count(): number {
    return this.#answers.size
  }

  get(key: string): Uint32Array | undefined {
    const series = this.#answers.get(key)
    if (series !== undefined) {
      this.#answers.delete(key)
      this.#answers.set(key, series)
    }
    return series
  }

  /** `series` must not be changed afterwards. An answer that is too large is not kept. */
  set(key: string, answer: Uint32Array): void {
    // A list that was cut short would keep all of its memory.
    const series = answer.buffer.byteLength > answer.byteLength * 2 ? answer.slice() : answer
    const sizeBytes = sizeOf(key, series)
    if (sizeBytes > ANSWER_SIZE_BYTES_MAX) return
    let delta = sizeBytes
    const before = this.#answers.get(key)
    if (before !== undefined) delta -= this.#remove(key, before)
    for (const [oldKey, old] of this.#answers) {
      if (this.sizeBytes + delta <= MATCHES_SIZE_BYTES_MAX) break
      delta -= this.#remove(oldKey, old)
    }
    this.#answers.set(key, series)
    this.sizeBytes += delta
    this.#resized(delta)
  }

  /** Forgets all answers; returns how many bytes they took. */
  clear(): number {
    const freed = this.sizeBytes
    if (this.#answers.size === 0) return 0
    this.#answers.clear()
    this.sizeBytes = 0
    this.#resized(-freed)
    return freed
  }

  #remove(key: string, series: Uint32Array): number {
    this.#answers.delete(key)
    return sizeOf(key, series)
  }
}

function sizeOf(key: string, series: Uint32Array): number {
  return key.length * 2 + series.byteLength + ENTRY_SIZE_BYTES
}
