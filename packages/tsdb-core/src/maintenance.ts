/**
 * What a database does in the background, one change at a time: seal, merge, expire, evict idle series, truncate the log.
 *
 * A block is sealed once its time has passed and it is quiet. Neither rule looks at how old the samples are, so that a
 * backfill of old data fills its blocks in peace; a clock that jumps ahead seals early, which costs a merge and nothing else.
 */

import type { BlockStore, FrozenBlock } from './block/block-store.js'
import type { DatabaseLog } from './database-log.js'
import { withStorageErrors } from './disk-error.js'
import type { Clock } from './env/clock.js'
import type { OpenBlock } from './head/open-block.js'
import type { LocalNamespace } from './local-namespace.js'
import type { LocalShard } from './local-shard.js'
import type { MemoryBudget } from './memory-budget.js'
import type { DropPolicy } from './raw-drop.js'
import { OpenBlockSource } from './read/open-block-source.js'
import { pauser } from './read/select-series.js'

/** A block takes late samples for so long after its end, and is not sealed while samples still come. */
const SEAL_GRACE_MS = 15 * 60_000
const SEAL_QUIET_MS = 2 * 60_000
/** So much longer it waits when samples of it may soon be dropped instead of written. */
const DROP_WAIT_MS = 10 * 60_000
/** More open blocks than this are not kept: the ones quiet for longest are sealed. */
const OPEN_BLOCKS_MAX = 64
/** The head may take this part of the memory budget before quiet blocks are sealed early. */
const HEAD_PART_MAX = 0.6
/** Retention deletes only while the clock runs evenly. */
const CLOCK_STEP_MS_MAX = 60_000
const CLOCK_STEADY_MS = 10 * 60_000

export interface MaintenanceParts {
  readonly clock: Clock
  readonly memory: MemoryBudget
  readonly namespaces: () => readonly LocalNamespace[]
  readonly storeOf: (namespace: LocalNamespace) => BlockStore | undefined
  readonly dropPolicyOf: (namespace: LocalNamespace) => DropPolicy | null
  readonly log: DatabaseLog
  /** The log may grow to this before open blocks are sealed for its sake. */
  readonly logSizeBytesMax: number
  /** Somebody needs the log as it is for a moment more. */
  readonly isLogHeld: () => boolean
  /** Makes durable what the log would lose when it is truncated. */
  readonly saveState: () => Promise<void>
  readonly countMemory: () => void
}

/** What a database without a folder does instead: it forgets blocks that have expired, and series that have none left. */
export async function expireInMemory(namespaces: Iterable<LocalNamespace>, clock: Clock): Promise<void> {
  for (const namespace of namespaces) {
    const { lastMs } = namespace.stats()
    if (lastMs === undefined) continue
    // As on disk: without newer samples the clock alone deletes nothing.
    const cutoffMs = Math.min(clock.wallMs(), lastMs) - namespace.options.retentionMs
    for (const shard of namespace.shards) {
      if (shard.head.freeze((block) => block.endMs <= cutoffMs).length > 0) await evictIdle(namespace, shard, clock)
    }
  }
}

export class Maintenance {
  readonly #parts: MaintenanceParts
  #queue: Promise<unknown> = Promise.resolve()
  /** Wall clock minus monotonic clock, and since when it has not jumped. */
  #clockOffsetMs: number
  #steadySinceMs: number

  constructor(parts: MaintenanceParts) {
    this.#parts = parts
    const { clock } = parts
    this.#clockOffsetMs = clock.wallMs() - clock.monotonicMs()
    this.#steadySinceMs = clock.monotonicMs()
  }

  /** Runs `work` after all that was asked for before it. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(() => withStorageErrors(work))
    this.#queue = done.catch(() => undefined)
    return done
  }

  /** Everything that is due. */
  round(): Promise<void> {
    return this.exclusively(async () => {
      const { clock, memory } = this.#parts
      this.#parts.countMemory()
      const nowMs = clock.monotonicMs()
      const isShort = memory.headBytes > memory.bytesMax * HEAD_PART_MAX
      const isLogLarge = this.#parts.log.sizeBytes > this.#parts.logSizeBytesMax
      const oldest = this.#oldestSegment()
      // Long blocks of aggregates would otherwise keep the log of many short ones: those that need its oldest part go first.
      const isInTheWay = (block: OpenBlock) => isShort || (isLogLarge && block.firstSegment === oldest)
      await this.#seal((block, namespace) => this.#isDue(block, namespace, nowMs) || isInTheWay(block))
      for (const namespace of this.#parts.namespaces()) {
        const store = this.#parts.storeOf(namespace)
        if (store === undefined) continue
        for (const shard of namespace.shards) await this.#merge(namespace, shard, store, false)
        await this.#expire(namespace, store)
      }
    })
  }

  /** Seals the open blocks of some namespaces that end at or before `beforeMs`, and merges their generations. */
  flush(
    namespaces: readonly LocalNamespace[],
    shards: readonly LocalShard[] | undefined,
    beforeMs: number,
  ): Promise<void> {
    return this.exclusively(async () => {
      await this.#seal(
        (block, namespace, shard) =>
          block.endMs <= beforeMs && namespaces.includes(namespace) && (shards === undefined || shards.includes(shard)),
      )
      for (const namespace of namespaces) {
        const store = this.#parts.storeOf(namespace)
        if (store === undefined) continue
        for (const shard of namespace.shards) await this.#merge(namespace, shard, store, true)
      }
    })
  }

  #isDue(block: OpenBlock, namespace: LocalNamespace, nowMs: number): boolean {
    if (nowMs - block.lastAppendMs < SEAL_QUIET_MS) return false
    const { startMs, endMs } = block
    const lateMs = this.#parts.clock.wallMs() - endMs - SEAL_GRACE_MS
    if (lateMs < 0) return false
    const policy = lateMs < DROP_WAIT_MS ? this.#parts.dropPolicyOf(namespace) : null
    return policy === null || policy.droppableUntilMs(startMs, endMs) >= endMs - 1
  }

  async #seal(isDue: (block: OpenBlock, namespace: LocalNamespace, shard: LocalShard) => boolean): Promise<void> {
    const { log } = this.#parts
    const frozen: { namespace: LocalNamespace; store: BlockStore; blocks: FrozenBlock[] }[] = []
    for (const namespace of this.#parts.namespaces()) {
      const store = this.#parts.storeOf(namespace)
      if (store === undefined) continue
      const blocks: FrozenBlock[] = []
      for (const shard of namespace.shards) {
        const { head } = shard
        const crowded = crowdedOut(shard)
        // Blocks whose last try failed are in `sealing` still. What their window got since is sealed with them.
        const again = new Set(shard.sealing.map((block) => block.startMs))
        const isPicked = (block: OpenBlock) =>
          isDue(block, namespace, shard) || crowded.has(block) || again.has(block.startMs)
        shard.sealing.push(...head.freeze(isPicked))
        for (const block of shard.sealing) {
          const source = new OpenBlockSource(block, head.series, head.index, head.stride)
          blocks.push({ shard: shard.number, block, source })
        }
      }
      if (blocks.length > 0) frozen.push({ namespace, store, blocks })
    }
    if (frozen.length === 0) return
    // Frozen in the same turn: all samples of these windows that stand before the segment that begins now are in them.
    const segment = await log.rotate()
    for (const { namespace, store, blocks } of frozen) {
      if (namespace.isDeleted) continue
      await store.seal(blocks, segment, ({ shard, block }) => {
        const { sealing } = namespace.shards[shard]
        sealing.splice(sealing.indexOf(block), 1)
      })
    }
    for (const namespace of this.#parts.namespaces()) {
      for (const shard of namespace.shards) await evictIdle(namespace, shard, this.#parts.clock)
    }
    await this.#truncate(segment)
    this.#parts.countMemory()
  }

  /** First segment of the log that an open block needs. */
  #oldestSegment(): number {
    let oldest = Number.POSITIVE_INFINITY
    for (const namespace of this.#parts.namespaces()) {
      for (const shard of namespace.shards) {
        for (const block of [...shard.head.blocks.values(), ...shard.sealing]) {
          if (block.firstSegment < oldest) oldest = block.firstSegment
        }
      }
    }
    return oldest
  }

  async #truncate(segment: number): Promise<void> {
    if (this.#parts.isLogHeld()) return
    const needed = Math.min(segment, this.#oldestSegment())
    await this.#parts.saveState()
    const first = await this.#parts.log.removeBefore(needed)
    for (const namespace of this.#parts.namespaces()) this.#parts.storeOf(namespace)?.forgetWindows(first)
  }

  async #merge(namespace: LocalNamespace, shard: LocalShard, store: BlockStore, eager: boolean): Promise<void> {
    const { clock } = this.#parts
    // A window may still get samples while it is open; a larger one is complete when none of its blocks is.
    let completeBeforeMs = Math.min(clock.wallMs() - SEAL_GRACE_MS, Number.POSITIVE_INFINITY)
    for (const block of shard.head.blocks.values()) completeBeforeMs = Math.min(completeBeforeMs, block.startMs)
    while (!namespace.isDeleted && (await store.merge(shard.number, { eager, completeBeforeMs }))) {
      await clock.yield()
    }
  }

  async #expire(namespace: LocalNamespace, store: BlockStore): Promise<void> {
    const { retentionMs, retentionSizeBytes } = namespace.options
    const cutoffMs = this.#clockIsSteady() ? this.#parts.clock.wallMs() - retentionMs : Number.NEGATIVE_INFINITY
    // Time alone never deletes: without newer samples the clock may be wrong, and nothing needs the room.
    const { lastMs } = namespace.stats()
    const newestMs = lastMs ?? Number.NEGATIVE_INFINITY
    await store.expire(Math.min(cutoffMs, newestMs - retentionMs), retentionSizeBytes)
  }

  /** False for a while after the wall clock jumped against the monotonic one, in either direction. */
  #clockIsSteady(): boolean {
    const { clock } = this.#parts
    const nowMs = clock.monotonicMs()
    const offsetMs = clock.wallMs() - nowMs
    if (Math.abs(offsetMs - this.#clockOffsetMs) > CLOCK_STEP_MS_MAX) this.#steadySinceMs = nowMs
    this.#clockOffsetMs = offsetMs
    return nowMs - this.#steadySinceMs >= CLOCK_STEADY_MS
  }
}

/** The blocks quiet for longest, as far as there are more open ones than allowed. */
function crowdedOut(shard: LocalShard): Set<OpenBlock> {
  const blocks = [...shard.head.blocks.values()]
  if (blocks.length <= OPEN_BLOCKS_MAX) return new Set()
  blocks.sort((a, b) => a.lastAppendMs - b.lastAppendMs)
  return new Set(blocks.slice(0, blocks.length - OPEN_BLOCKS_MAX))
}

/** Series without samples in any open block go; those made since the last round may be about to get their first. */
async function evictIdle(namespace: LocalNamespace, shard: LocalShard, clock: Clock): Promise<void> {
  const { head } = shard
  const held = () => [...head.blocks.values(), ...shard.sealing]
  const tell = (refs: Uint32Array) =>
    namespace.tellEvicted(
      shard.number,
      refs.map((ref) => ref * head.stride),
    )
  await head.evictIdle(held, shard.evictBefore, tell, pauser(clock))
  shard.evictBefore = head.series.nextRef
}
