/**
 * Keeps V8's space for young objects at half of the size that it would grow to.
 *
 * The space has two halves, and grows to 16 MiB each under load. Nearly all young objects of ours are done with after a
 * request, so that half as much is collected as cheaply, for 16 MiB less memory (docs/decisions/0050). The largest size itself is
 * read by V8 only when the process starts, and the binary is started by `node`; the factor by which the space grows is
 * read each time it does. A server that rests gives the space back, so this looks again and again.
 */
import v8 from 'node:v8'

export interface YoungSpace {
  /** Of both halves together, as they are now. */
  sizeBytes(): number
  /** 1: it does not grow. */
  setGrowthFactor(factor: number): void
}

const SIZE_BYTES_MAX = 2 * (8 << 20)
const GROWTH_FACTOR = 2
const LOOK_MS = 200

/** Of this process, until it ends. Does not keep it from ending. */
export function boundYoungSpace(): void {
  const look = youngSpaceKeeper({
    sizeBytes: () => v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0,
    setGrowthFactor: (factor) => v8.setFlagsFromString(`--semi-space-growth-factor=${factor}`),
  })
  setInterval(look, LOOK_MS).unref()
}

/** A function to be called again and again, which lets the space grow or not. */
export function youngSpaceKeeper(space: YoungSpace): () => void {
  let grows = true
  return () => {
    const shouldGrow = space.sizeBytes() < SIZE_BYTES_MAX
    if (shouldGrow === grows) return
    grows = shouldGrow
    space.setGrowthFactor(grows ? GROWTH_FACTOR : 1)
  }
}
