/** Buffers that all write pipelines of a process share: one scratch, and as many sets of columns as requests are in flight. */
import { makeScanLists, type ScanLists, WriteColumns, type WriteLimits } from './write-columns.js'
import { Scratch } from './write-scanner.js'

/**
 * Columns for some sixty ordinary requests at a time. To make new ones is dear: the memory is filled with zeros, and all of it
 * has pages from then on.
 */
const COLUMNS_KEPT_BYTES_MAX = 32 << 20

export class WriteMemory {
  readonly limits: WriteLimits
  readonly scratch: Scratch
  /** For bodies that are decoded in parts. */
  readonly large: LargeBodies
  readonly #lists: ScanLists
  readonly #free: WriteColumns[] = []
  #freeBytes = 0

  constructor(limits: WriteLimits) {
    this.limits = limits
    this.scratch = new Scratch(limits)
    this.large = new LargeBodies(limits)
    this.#lists = makeScanLists(limits)
  }

  take(): WriteColumns {
    const columns = this.#free.pop()
    if (columns === undefined) return new WriteColumns(this.limits, this.#lists)
    this.#freeBytes -= columns.sizeBytes
    return columns
  }

  giveBack(columns: WriteColumns): void {
    const { sizeBytes } = columns
    if (this.#freeBytes + sizeBytes > COLUMNS_KEPT_BYTES_MAX) return
    this.#freeBytes += sizeBytes
    this.#free.push(columns)
  }
}

/**
 * Scratch memory for requests that take many turns of the event loop, lent to one of them at a time.
 *
 * Meanwhile ordinary requests come and go through the other scratch. The large ones would have to share the loop anyway;
 * that they wait for each other bounds what they take: the body of one, decoded, however many come at once.
 */
export class LargeBodies {
  readonly #limits: WriteLimits
  #scratch: Scratch | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(limits: WriteLimits) {
    this.#limits = limits
  }

  /** Does `work` after all that came before it, with the scratch as its own until its promise settles. */
  use<T>(work: (scratch: Scratch) => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      this.#scratch ??= new Scratch(this.#limits)
      return work(this.#scratch)
    })
    this.#last = turn.catch(() => {}) // Its caller is told.
    return turn
  }
}
