/** A database for a test: in a folder of its own that goes with it, under a clock that the test moves. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Database } from '../database.js'
import type { Clock, Timer } from '../env/clock.js'
import { nodeEnv } from '../env/node/index.js'
import type { DatabaseOptions } from '../options.js'

/** A clock that stands still until it is moved. Timers that fall due run while it moves. */
export class FakeClock implements Clock {
  #nowMs: number
  readonly #startMs: number
  #timers: { dueMs: number; callback: () => void }[] = []

  constructor(nowMs: number) {
    this.#nowMs = nowMs
    this.#startMs = nowMs
  }

  wallMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const entry = { dueMs: this.#nowMs + delayMs, callback }
    this.#timers.push(entry)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== entry)
      },
    }
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  /** Moves the clock on, and runs the timers that fall due, in order. */
  advance(durationMs: number): void {
    const untilMs = this.#nowMs + durationMs
    for (;;) {
      const due = this.#timers.filter((timer) => timer.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter((other) => other !== due)
      this.#nowMs = Math.max(this.#nowMs, due.dueMs)
      due.callback()
    }
    this.#nowMs = untilMs
  }
}

export interface TemporaryDatabase {
  readonly database: Database
  readonly clock: FakeClock
  readonly directory: string
  /** Closes it and opens it again, as after a restart. */
  reopen(): Promise<Database>
  /** Closes it and removes its folder. */
  remove(): Promise<void>
}

/**
 * Opens a database in a new temporary folder. Background work runs only by `maintain()` and `flush()`.
 *
 * `nowMs` is what the clock shows at first: 2024-01-01 unless said otherwise.
 */
export async function openTemporaryDatabase(
  options: Omit<DatabaseOptions, 'directory' | 'env'> & { readonly nowMs?: number } = {},
): Promise<TemporaryDatabase> {
  const { nowMs = Date.UTC(2024, 0, 1), ...rest } = options
  const clock = new FakeClock(nowMs)
  const directory = await mkdtemp(join(tmpdir(), 'varve-'))
  const open = () =>
    Database.open({ maintenanceIntervalMs: 0, diskReserveBytes: 0, ...rest, directory, env: { ...nodeEnv(), clock } })
  let database = await open()
  return {
    get database() {
      return database
    },
    clock,
    directory,
    async reopen() {
      await database.close()
      database = await open()
      return database
    },
    async remove() {
      await database.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
