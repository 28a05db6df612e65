/**
 * Parts of value columns that are to be decoded, gathered by the page in which they lie: one call of the codec decodes all
 * that a batch needs of a page, straight to where the values belong.
 */
import { decodeSealedRuns } from '@varve/gorilla-codec'

/** Numbers of a run, as `decodeSealedRuns` wants them. */
const RUN_SIZE = 6
const RUNS_MIN = 16

export class RunQueue {
  /** Page → place in the lists. Lists are kept from batch to batch, for whichever pages come next. */
  readonly #places = new Map<number, number>()
  readonly #pages: number[] = []
  readonly #runs: Uint32Array[] = []
  readonly #counts: number[] = []
  #lastPage = -1
  #lastPlace = -1

  /** Forgets what is queued. */
  clear(): void {
    this.#places.clear()
    this.#pages.length = 0
    this.#lastPage = -1
  }

  /** Values `[first, last)` of the column `[start, end)` of a page, which has `count`, shall stand at `outAt`. */
  add(page: number, start: number, end: number, count: number, first: number, last: number, outAt: number): void {
    if (page !== this.#lastPage) {
      this.#lastPlace = this.#placeOf(page)
      this.#lastPage = page
    }
    const place = this.#lastPlace
    let runs = this.#runs[place]
    let at = this.#counts[place]++ * RUN_SIZE
    if (at === runs.length) {
      const grown = new Uint32Array(runs.length * 2)
      grown.set(runs)
      runs = this.#runs[place] = grown
    }
    runs[at++] = start
    runs[at++] = end
    runs[at++] = count
    runs[at++] = first
    runs[at++] = last
    runs[at] = outAt
  }

  /** Decodes all that is queued, and forgets it. */
  decode(bytesOf: (page: number) => Uint8Array, out: Float64Array): void {
    for (let place = 0; place < this.#pages.length; place++) {
      decodeSealedRuns(bytesOf(this.#pages[place]), this.#runs[place], this.#counts[place], out)
    }
    this.clear()
  }

  #placeOf(page: number): number {
    const known = this.#places.get(page)
    if (known !== undefined) return known
    const place = this.#pages.push(page) - 1
    if (place === this.#runs.length) this.#runs.push(new Uint32Array(RUN_SIZE * RUNS_MIN))
    this.#counts[place] = 0
    this.#places.set(page, place)
    return place
  }
}
