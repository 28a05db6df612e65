import { StorageError } from '@varve/tsdb-core'
import type { WriteSink } from './write-sink.js'

/**
 * References of series, when a limit may refuse some of them. The others are found by halving: series that the store knows
 * must go on, however many new ones come with them. `refused` is told the index of each that is over the limit.
 */
export async function resolveWithinLimits(
  sink: WriteSink,
  canonical: Uint8Array,
  offsets: Uint32Array,
  refused: (index: number, error: StorageError) => void,
): Promise<Uint32Array> {
  const refs = new Uint32Array(offsets.length - 1)
  const resolveRange = async (from: number, to: number): Promise<void> => {
    const part = offsets.slice(from, to + 1)
    for (let i = 0; i < part.length; i++) part[i] -= offsets[from]
    try {
      refs.set(await sink.resolve(canonical.subarray(offsets[from], offsets[to]), part), from)
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'LIMIT_EXCEEDED') throw error
      if (to - from === 1) {
        refused(from, error)
        return
      }
      const middle = (from + to) >>> 1
      await resolveRange(from, middle)
      await resolveRange(middle, to)
    }
  }
  await resolveRange(0, refs.length)
  return refs
}
