/** How many bits the non-negative integer needs; 0 for 0. Exact up to 2^53. */
export function bitWidth(value: number): number {
  if (value < 4294967296) return 32 - Math.clz32(value)
  return 64 - Math.clz32(value / 4294967296)
}
