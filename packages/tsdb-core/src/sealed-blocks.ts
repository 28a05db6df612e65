/** The sealed blocks of one namespace. */

import type { SampleSource } from './read/sample-source.js'

export interface AcquiredBlocks {
  readonly blockCount: number
  /** Opens what is not open yet, older data first. A block that cannot be read becomes a warning. */
  sources(): Promise<{ sources: SampleSource[]; warnings: string[] }>
  release(): void
}

export interface SealedBlocks {
  /** The blocks of the shard that overlap the range; they stay readable until released. */
  acquire(shard: number, startMs: number, endMs: number): AcquiredBlocks
  stats(): SealedStats
}

export interface SealedStats {
  readonly sealedBlockCount: number
  readonly sealedSampleCount: number
  readonly sealedSizeBytes: number
  readonly conflictingSampleCount: number
  firstMs: number | undefined
  lastMs: number | undefined
}

/** What a database without a folder has: its open blocks are all there is. */
export const NO_SEALED_BLOCKS: SealedBlocks = {
  acquire: () => ({ blockCount: 0, sources: async () => ({ sources: [], warnings: [] }), release: () => undefined }),
  stats: () => ({
    sealedBlockCount: 0,
    sealedSampleCount: 0,
    sealedSizeBytes: 0,
    conflictingSampleCount: 0,
    firstMs: undefined,
    lastMs: undefined,
  }),
}
