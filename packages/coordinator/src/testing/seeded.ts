/** A small generator for tests: the same seed gives the same run. */
export interface Seeded {
  u32(): number
  below(limit: number): number
  bytes(size: number): Uint8Array
}

export function seeded(seed: number): Seeded {
  let state = seed >>> 0
  // mulberry32
  const u32 = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
  return {
    u32,
    below: (limit) => (limit <= 0 ? 0 : u32() % limit),
    bytes: (size) => Uint8Array.from({ length: size }, () => u32() & 0xff),
  }
}
