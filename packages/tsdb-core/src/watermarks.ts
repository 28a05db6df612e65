/**
 * How far policies have come, as far as is committed, and how far raw samples may have been dropped, which is one of them.
 *
 * They are in the commit log with the samples that they speak of, and in a file of the folder once the log is truncated.
 */
import { watermarkKey } from './database-log.js'
import type { Watermark } from './namespace.js'
import { DROP_MARK, type DropPolicy, heldBack } from './raw-drop.js'

export class Watermarks {
  readonly #marks = new Map<string, Watermark>()
  /** Writes all of them into the folder; a store in memory has none. */
  readonly #write: (marks: readonly Watermark[]) => Promise<void>
  #dropPolicy: DropPolicy | null = null
  /** The drop mark as it is known to be durable. */
  #droppedUntilMs = Number.NEGATIVE_INFINITY
  /** Snapshots that are being made. */
  #snapshotCount = 0

  constructor(write: (marks: readonly Watermark[]) => Promise<void>) {
    this.#write = write
  }

  of(policy: string, shard: number): number | undefined {
    return this.#marks.get(watermarkKey(policy, shard))?.timestampMs
  }

  all(): readonly Watermark[] {
    return [...this.#marks.values()]
  }

  set(mark: Watermark): void {
    this.#marks.set(watermarkKey(mark.policy, mark.shard), mark)
  }

  get dropPolicy(): DropPolicy | null {
    return this.#dropPolicy
  }

  set dropPolicy(policy: DropPolicy | null) {
    this.#dropPolicy = policy
  }

  /** While a snapshot is made nothing is dropped, and what is held is asked for again. */
  get dropPolicyNow(): DropPolicy | null {
    const policy = this.#dropPolicy
    return policy === null || this.#snapshotCount === 0 ? policy : heldBack(policy)
  }

  /** What a later watermark allows to drop must not be missing in a snapshot, which has the earlier one. */
  async whileNothingIsDropped(work: () => Promise<void>): Promise<void> {
    this.#snapshotCount++
    try {
      await work()
    } finally {
      this.#snapshotCount--
    }
  }

  /** Raw samples up to here may be missing from now on. */
  async markDropped(untilMs: number): Promise<void> {
    const timestampMs = Math.max(untilMs, this.of(DROP_MARK, 0) ?? Number.NEGATIVE_INFINITY)
    // In this turn, so that nobody who begins later takes the samples for complete; a write that failed is done again.
    this.set({ policy: DROP_MARK, shard: 0, timestampMs })
    if (untilMs <= this.#droppedUntilMs) return
    await this.#write(this.all())
    this.#droppedUntilMs = timestampMs
  }
}
