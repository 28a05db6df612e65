/**
 * Parts of value columns that are to be decoded: one call of the codec decodes all that a batch needs, straight to where the
 * values belong.
 */
import { decodeSealedRuns } from '@varve/gorilla-codec'

/** Numbers of a run, as `decodeSealedRuns` wants them. */
const RUN_SIZE = 7
const RUNS_MIN = 16

export class RunQueue {
  /** Page → its place in `#pages`. */
  readonly #places = new Map<number, number>()
  readonly #pages: number[] = []
  #runs = new Uint32Array(RUN_SIZE * RUNS_MIN)
  #runCount = 0
  #lastPage = -1
  #lastPlace = -1

  /** Forgets what is queued. */
  clear(): void {
    this.#places.clear()
    this.#pages.length = 0
    this.#runCount = 0
    this.#lastPage = -1
  }

  /** Values `[first, last)` of the column `[start, end)` of a page, which has `count`, shall stand at `outAt`. */
  add(page: number, start: number, end: number, count: number, first: number, last: number, outAt: number): void {
    if (page !== this.#lastPage) {
      this.#lastPlace = this.#placeOf(page)
      this.#lastPage = page
    }
    let at = this.#runCount++ * RUN_SIZE
    if (at === this.#runs.length) {
      const grown = new Uint32Array(this.#runs.length * 2)
      grown.set(this.#runs)
      this.#runs = grown
    }
    const runs = this.#runs
    runs[at++] = this.#lastPlace
    runs[at++] = start
    runs[at++] = end
    runs[at++] = count
    runs[at++] = first
    runs[at++] = last
    runs[at] = outAt
  }

  /** Decodes all that is queued, and forgets it. */
  decode(bytesOf: (page: number) => Uint8Array, out: Float64Array): void {
    if (this.#runCount > 0) decodeSealedRuns(this.#pages.map(bytesOf), this.#runs, this.#runCount, out)
    this.clear()
  }

  #placeOf(page: number): number {
    const known = this.#places.get(page)
    if (known !== undefined) return known
    const place = this.#pages.push(page) - 1
    this.#places.set(page, place)
    return place
  }
}
