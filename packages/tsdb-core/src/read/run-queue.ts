/**
 * Parts of value columns that are to be decoded: one call of the codec decodes all that a batch needs, straight to where the
 * values belong.
 */
import { decodeSealedRuns } from '@varve/gorilla-codec'
import { grownU32 } from '../index/growable.js'

/** Numbers of a run, as `decodeSealedRuns` wants them. */
const RUN_SIZE = 7
const RUNS_MIN = 16

export class RunQueue {
  /** Page → 1 + its place in `#pages`, or 0. Neighbouring runs mostly lie in different pages. */
  #places: Uint32Array = new Uint32Array(16)
  readonly #pages: number[] = []
  #runs = new Uint32Array(RUN_SIZE * RUNS_MIN)
  #runCount = 0
  #lastPage = -1
  #lastPlace = -1

  /** Forgets what is queued. */
  clear(): void {
    for (const page of this.#pages) this.#places[page] = 0
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
    if (page >= this.#places.length) this.#places = grownU32(this.#places, page + 1)
    const known = this.#places[page]
    if (known !== 0) return known - 1
    return (this.#places[page] = this.#pages.push(page)) - 1
  }
}
