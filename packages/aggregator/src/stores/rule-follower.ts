/**
 * Keeps a `RuleBook` the same as a store: lists at the start, after each hint and every minute; after a failure it lists
 * again soon, and the rules stay what they were. What it learns is on disk before anybody is told (R3).
 */
import { type Env, sleep, type Timer } from '@varve/tsdb-core/env'
import { messageOf } from '../errors.js'
import { RuleBook, type RuleChange, readDocument } from '../rules/rule-book.js'
import type { RuleReading } from '../rules/rule-reader.js'
import { readRuleBook, writeRuleBook } from './rule-state-file.js'
import type { RuleListing, RuleStore, StoredDocument } from './rule-store.js'

const RELIST_MS = 60_000
/** A failed listing is repeated after this, and then at most so much later. */
const RETRY_MS_MIN = 250
const RETRY_MS_MAX = 2000
/** Hints come in bursts: one listing answers those of so many milliseconds. */
const SETTLE_MS = 20

export interface RuleFollowerOptions {
  readonly env: Env
  readonly store: RuleStore
  /** Absent: nothing is kept over a restart. */
  readonly statePath?: string
  /**
   * From when on a change that is learned now holds: the wall clock, or the end of the last window that was computed if that
   * is later, since what was computed by the old rules stays. Default: the wall clock.
   */
  readonly effectiveFromMs?: () => number
  /** Default: one minute. */
  readonly relistMs?: number
  /** After each change, with the book already written. */
  readonly onChange: (changes: readonly RuleChange[]) => void | Promise<void>
  readonly onNotice: (severity: 'info' | 'warning' | 'error', message: string) => void
}

export interface RuleStoreStatus {
  readonly store: string
  readonly revision: number
  readonly reachable: boolean
  readonly error: string | null
  /** Wall clock time of the last listing that succeeded; null: none since the start. */
  readonly listedMs: number | null
  readonly listingCount: number
  readonly failureCount: number
}

export class RuleFollower {
  readonly #options: RuleFollowerOptions
  #book = new RuleBook()
  #watch: { close(): Promise<void> } | null = null
  #timer: Timer | null = null
  #listing: Promise<void> | null = null
  #wanted = false
  #retryMs = RETRY_MS_MIN
  #strays: ReadonlySet<string> = new Set()
  #error: string | null = null
  #listedMs: number | null = null
  #listingCount = 0
  #failureCount = 0
  readonly #stop = new AbortController()
  #holdAfterMs = Infinity

  constructor(options: RuleFollowerOptions) {
    this.#options = options
  }

  get book(): RuleBook {
    return this.#book
  }

  /**
   * Windows that end after this time must not be computed now: rules that hold for them are known, and not on disk yet (R3).
   * `Infinity` but for the moments of writing.
   */
  get holdAfterMs(): number {
    return this.#holdAfterMs
  }

  status(): RuleStoreStatus {
    return {
      store: this.#options.store.description,
      revision: this.#book.revision,
      reachable: this.#error === null && this.#listedMs !== null,
      error: this.#error,
      listedMs: this.#listedMs,
      listingCount: this.#listingCount,
      failureCount: this.#failureCount,
    }
  }

  /** Reads the state file, then tries to list once: with the store away the rules of the file hold. */
  async start(): Promise<void> {
    const { env, statePath, onNotice, store } = this.#options
    if (statePath !== undefined) {
      try {
        this.#book = (await readRuleBook(env.files, statePath)) ?? this.#book
      } catch (error) {
        // The store has the rules still; what is lost is their history, so past windows are computed no more.
        onNotice('error', `the kept rules cannot be read and are left aside: ${messageOf(error)}`)
        await env.files.rename(statePath, `${statePath}.damaged`)
      }
    }
    this.#watch = store.watch(() => this.#hint(SETTLE_MS))
    await this.refresh()
  }

  /** Lists now; resolves when what was listed is in the book, or the attempt has failed. Never rejects. */
  async refresh(): Promise<void> {
    if (this.#stop.signal.aborted) return
    if (this.#listing) {
      this.#wanted = true
      return this.#listing
    }
    this.#listing = this.#listUntilSettled()
    await this.#listing
  }

  /** Changes the book by hand, as a backfill does: on disk first, then in force. Waits for a listing that is under way. */
  async change<T>(change: (book: RuleBook) => T): Promise<T> {
    while (this.#listing) await this.#listing
    const { statePath } = this.#options
    const book = this.#book.clone()
    const result = change(book)
    // Nothing is awaited between the clone and here but the write, and listings wait for it.
    this.#listing = (statePath === undefined ? Promise.resolve() : this.#write(statePath, book)).finally(() => {
      this.#listing = null
    })
    await this.#listing
    this.#book = book
    if (this.#wanted) void this.refresh()
    return result
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the rule follower was stopped'))
    this.#timer?.cancel()
    await this.#watch?.close()
    await this.#listing
  }

  #hint(delayMs: number): void {
    if (this.#stop.signal.aborted) return
    this.#timer?.cancel()
    this.#timer = this.#options.env.clock.setTimer(delayMs, () => void this.refresh())
  }

  async #listUntilSettled(): Promise<void> {
    do {
      this.#wanted = false
      await this.#listOnce()
    } while (this.#wanted && !this.#stop.signal.aborted)
    this.#listing = null
    this.#hint(this.#error === null ? (this.#options.relistMs ?? RELIST_MS) : this.#retryMs)
  }

  async #listOnce(): Promise<void> {
    const { env, store, statePath, onChange, onNotice } = this.#options
    try {
      this.#listingCount++
      const listing = await store.list()
      const readings = await this.#readNews(listing)
      const book = this.#book.clone()
      const fromMs = this.#options.effectiveFromMs?.() ?? env.clock.wallMs()
      const changes = book.update(listing, fromMs, readings)
      try {
        this.#holdAfterMs = fromMs
        if (changes.length > 0 && statePath !== undefined) await this.#write(statePath, book)
        this.#book = book
      } finally {
        this.#holdAfterMs = Infinity
      }
      this.#tellStrays(listing.strays)
      if (this.#error !== null) onNotice('info', `${store.description} answers again`)
      this.#error = null
      this.#listedMs = env.clock.wallMs()
      this.#retryMs = RETRY_MS_MIN
      if (changes.length > 0) await onChange(changes)
    } catch (error) {
      this.#failureCount++
      if (this.#error === null) {
        onNotice('warning', `the rules stay as they are, since they cannot be listed: ${messageOf(error)}`)
      }
      this.#error = messageOf(error)
      this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2)
    }
  }

  /** Reads the documents that are new, one in a turn of the event loop: each is some milliseconds at first. */
  async #readNews({ documents }: RuleListing): Promise<ReadonlyMap<StoredDocument, RuleReading>> {
    const { clock } = this.#options.env
    const readings = new Map<StoredDocument, RuleReading>()
    for (const document of documents) {
      if (!this.#book.isNews(document)) continue
      if (readings.size > 0) await clock.yield()
      readings.set(document, readDocument(document))
    }
    return readings
  }

  /** What is no rule, such as a file that does not parse: told when it appears and when it has gone. */
  #tellStrays(strays: RuleListing['strays']): void {
    const { onNotice } = this.#options
    const texts = new Set(strays.map(({ where, message }) => `${where}: ${message}`))
    for (const text of texts) {
      if (!this.#strays.has(text)) onNotice('error', `this is no rule: ${text}`)
    }
    if (texts.size === 0 && this.#strays.size > 0) onNotice('info', 'what was no rule is mended')
    this.#strays = texts
  }

  /** Until it is written, nobody may compute with it: a full disk delays the new rules, and loses nothing. */
  async #write(statePath: string, book: RuleBook): Promise<void> {
    const { env, onNotice } = this.#options
    for (let attempt = 0; ; attempt++) {
      try {
        return await writeRuleBook(env.files, statePath, book)
      } catch (error) {
        if (this.#stop.signal.aborted) throw error
        if (attempt === 0) onNotice('error', `the rules cannot be written to ${statePath}: ${messageOf(error)}`)
        await sleep(env.clock, RETRY_MS_MAX, this.#stop.signal)
      }
    }
  }
}
