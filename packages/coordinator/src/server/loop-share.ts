/**
 * How writes and queries share the event loop.
 *
 * Writes come as events: all that the sockets hold would be scanned and stored in one turn. `write` takes as many as fit into
 * `WRITES_MS` of a turn and lets the others wait, in order, for the next ones. A write needs a few turns: to be read, to
 * be synced, to be answered. So queries take short slices while writes are in flight, and after each of them leave the
 * loop to the writes for as long as the slice took: half of the time is theirs, and all of it when nobody writes.
 */
import type { Clock } from '@varve/tsdb-core/env'
import { LoopTurns } from './loop-turns.js'

/** Writes of one turn, the last of them may go beyond it. A request of 2,000 known series takes less than 1 ms. */
const WRITES_MS = 8
/** A slice of a query while writes are in flight, and otherwise. */
const QUERY_MS_BESIDE_WRITES = 4
const QUERY_MS = 8
/** A slice that took longer than it should is not paid back in full: a query must get on. */
const REST_MS_MAX = 10

/** What the engine needs of a clock, with the length of its slices. */
export interface QueryClock {
  monotonicMs(): number
  yield(): Promise<void>
  turnMs(): number
}

export class LoopShare {
  /** What it sees of the turns of writes and queries. */
  readonly turns = new LoopTurns()
  readonly #clock: Clock
  #writesInFlight = 0
  #turnIsOpen = false
  #turnStartMs = 0
  #sliceStartMs = 0
  /** No query goes on before this time while writes are in flight. */
  #restUntilMs = 0
  #writesMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How long turns of the event loop took so far, each from its first write to its end. */
  get writesMs(): number {
    return this.#writesMs
  }

  /** Does `work`, whose synchronous beginning is the dear part of it, in a turn that has time for it. */
  async write<T>(work: () => Promise<T>): Promise<T> {
    this.#writesInFlight++
    try {
      while (this.#isSpent()) await this.#clock.yield()
      return await work()
    } finally {
      this.#writesInFlight--
    }
  }

  /** Lets the event loop turn within a write, which goes on in a turn that has time for it. */
  async pause(): Promise<void> {
    do await this.#clock.yield()
    while (this.#isSpent())
  }

  /** Does a query: what it does until its first yield, and after its last, counts as slices too. */
  async query<T>(work: () => Promise<T>): Promise<T> {
    await this.#rested()
    try {
      return await work()
    } finally {
      this.#endSlice()
    }
  }

  /** The engine's clock. */
  get queryClock(): QueryClock {
    const clock = this.#clock
    return {
      monotonicMs: () => clock.monotonicMs(),
      yield: async () => {
        this.#endSlice()
        await clock.yield()
        await this.#rested()
      },
      turnMs: () => (this.#writesInFlight > 0 ? QUERY_MS_BESIDE_WRITES : QUERY_MS),
    }
  }

  #endSlice(): void {
    const nowMs = this.#clock.monotonicMs()
    this.turns.note('query', nowMs - this.#sliceStartMs)
    this.#restUntilMs = Math.max(this.#restUntilMs, nowMs + Math.min(REST_MS_MAX, nowMs - this.#sliceStartMs))
  }

  async #rested(): Promise<void> {
    while (this.#writesInFlight > 0 && this.#clock.monotonicMs() < this.#restUntilMs) {
      await new Promise<void>((resolve) => this.#clock.setTimer(1, resolve))
    }
    this.#sliceStartMs = this.#clock.monotonicMs()
  }

  /** Whether the writes of this turn have had their time. The first of a turn always gets its own. */
  #isSpent(): boolean {
    const nowMs = this.#clock.monotonicMs()
    if (this.#turnIsOpen) return nowMs - this.#turnStartMs >= WRITES_MS
    this.#turnIsOpen = true
    this.#turnStartMs = nowMs
    void this.#clock.yield().then(() => {
      this.#turnIsOpen = false
      const tookMs = this.#clock.monotonicMs() - this.#turnStartMs
      this.#writesMs += tookMs
      this.turns.note('write', tookMs)
    })
    return false
  }
}
