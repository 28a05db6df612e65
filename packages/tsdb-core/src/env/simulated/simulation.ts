/**
 * A whole platform on one seed: virtual time, a disk that can lose what was not synced, a network.
 *
 *     const simulation = new Simulation({ seed: 8123 })
 *     simulation.disk.crashAt(17)
 *     const outcome = await simulation.run(async (env) => { … })      // 'done' or 'crashed'
 *     simulation.crash()                                             // power off: what was not synced may be gone
 *     await simulation.run(async (env) => { … recover and check … })
 *
 * Events lie in a heap by virtual time. One happens, then everything that waits for it runs until nothing is left to run,
 * then the next happens. Two runs of one seed are the same run: compare their `traceHash`.
 *
 * A crash ends an incarnation: what it was waiting for never comes, so that its functions simply never go on.
 */
import type { Clock } from '../clock.js'
import type { Env } from '../env.js'
import { EventHeap } from './event-heap.js'
import type { EventSchedule } from './event-schedule.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedDisk } from './simulated-disk.js'
import { simulatedFileSystem } from './simulated-file-system.js'
import { SimulatedNetwork } from './simulated-network.js'

export interface SimulationOptions {
  readonly seed: number
  /** Where the wall clock starts. */
  readonly wallMs?: number
  /** A disk from another simulation, to go on with. */
  readonly disk?: SimulatedDisk
}

export type RunOutcome<T> = { readonly kind: 'done'; readonly value: T } | { readonly kind: 'crashed' }

/** 2026-01-01, so that times in a failing run are easy to read. */
const WALL_MS_DEFAULT = Date.UTC(2026, 0, 1)
/** Turns of the real event loop that work outside of the simulation, such as loading a module, may take. */
const IDLE_TURNS_MAX = 200_000

export class Simulation implements EventSchedule {
  readonly seed: number
  readonly random: SeededRandom
  readonly disk: SimulatedDisk
  readonly network: SimulatedNetwork
  readonly clock: Clock
  /** Of the times and order of all events so far. */
  traceHash = 0x811c9dc5
  readonly #heap = new EventHeap()
  #nowMs = 0
  #wallOffsetMs: number
  #incarnation = 0
  #crashed = false

  constructor(options: SimulationOptions) {
    this.seed = options.seed
    this.random = new SeededRandom(options.seed)
    this.#wallOffsetMs = options.wallMs ?? WALL_MS_DEFAULT
    this.disk = options.disk ?? new SimulatedDisk()
    this.clock = this.#makeClock()
    this.network = new SimulatedNetwork(this)
  }

  /** The platform of the present incarnation. */
  env(): Env {
    return {
      clock: this.#makeClock(),
      random: new SeededRandom(this.random.u32()),
      files: simulatedFileSystem(this, this.disk),
      network: this.network.ofNode(),
    }
  }

  get nowMs(): number {
    return this.#nowMs
  }

  get incarnation(): number {
    return this.#incarnation
  }

  at(delayMs: number, happen: () => void): { cancel(): void } {
    const event = {
      timeMs: this.#nowMs + Math.max(0, delayMs),
      tieBreak: this.random.u32(),
      incarnation: this.#incarnation,
      happen,
      cancelled: false,
    }
    this.#heap.push(event)
    return {
      cancel() {
        event.cancelled = true
      },
    }
  }

  /** The wall clock jumps, in either direction; monotonic time does not. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  /**
   * Lets `work` and all that it begins happen until it has resolved, or until the disk's crash point was reached.
   *
   * @throws what `work` throws; an error when it waits for something that will never come.
   */
  async run<T>(work: (env: Env) => Promise<T>): Promise<RunOutcome<T>> {
    this.#crashed = false
    let settled: { value: T } | { error: unknown } | undefined
    work(this.env()).then(
      (value) => {
        settled = { value }
      },
      (error) => {
        settled = { error }
      },
    )
    const loop = new RealTurns()
    try {
      let idleTurns = 0
      for (;;) {
        await loop.turn()
        if (this.#crashed) return { kind: 'crashed' }
        if (settled !== undefined) break
        if (this.#step()) idleTurns = 0
        else if (++idleTurns > IDLE_TURNS_MAX) {
          throw new Error(`simulation ${this.seed}: nothing is left to happen, and the work still waits`)
        }
      }
    } finally {
      loop.close()
    }
    if ('error' in settled) throw settled.error
    return { kind: 'done', value: settled.value }
  }

  /** Called by the disk at its crash point: the present incarnation ends at once. */
  stop(): void {
    this.#crashed = true
    this.#incarnation++
    this.network.dropAll()
  }

  /** Power off: ends the incarnation, and leaves of the disk one of its legal states. */
  crash(keepProbability?: number): void {
    if (!this.#crashed) this.stop()
    this.disk.crash(this.random, keepProbability)
  }

  /** Power off; all that was written is there but for one change of names: see `SimulatedDisk.crashWithoutName`. */
  crashWithoutName(lostIndex: number): void {
    if (!this.#crashed) this.stop()
    this.disk.crashWithoutName(this.random, lostIndex)
  }

  /** The process is killed and the machine goes on: everything written stays. */
  kill(): void {
    if (!this.#crashed) this.stop()
    this.disk.releaseLocks()
  }

  #step(): boolean {
    for (;;) {
      const event = this.#heap.pop()
      if (event === undefined) return false
      if (event.cancelled || event.incarnation !== this.#incarnation) continue
      this.#nowMs = event.timeMs
      this.traceHash = Math.imul(this.traceHash ^ event.tieBreak, 0x01000193) >>> 0
      this.traceHash = Math.imul(this.traceHash ^ Math.floor(event.timeMs * 1000), 0x01000193) >>> 0
      event.happen()
      return true
    }
  }

  #makeClock(): Clock {
    return {
      wallMs: () => Math.floor(this.#nowMs + this.#wallOffsetMs),
      monotonicMs: () => this.#nowMs,
      setTimer: (delayMs, callback) => this.at(delayMs, callback),
      yield: () => new Promise((resolve) => void this.at(0, resolve)),
    }
  }
}

/** One turn of the real event loop: everything that can run without a new event runs. */
class RealTurns {
  readonly #channel = new MessageChannel()
  #resolve = () => {}

  constructor() {
    this.#channel.port1.on('message', () => this.#resolve())
  }

  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.#channel.port2.postMessage(0)
    })
  }

  close(): void {
    this.#channel.port1.close()
  }
}
