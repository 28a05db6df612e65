/** A small seeded generator (SplitMix32 steps), so that a failing case can be replayed by its seed alone. */
export class SeededRandom {
  private state: number

  constructor(seed: number) {
    this.state = seed | 0
  }

  /** 32 random bits, unsigned. */
  word(): number {
    this.state = (this.state + 0x9e3779b9) | 0
    let z = this.state
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return (z ^ (z >>> 16)) >>> 0
  }

  /** A float in [0, 1). */
  fraction(): number {
    return (this.word() * 2097152 + (this.word() >>> 11)) / 9007199254740992
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound)
  }

  /** Roughly normal, mean 0, deviation 1. */
  normal(): number {
    let sum = -6
    for (let index = 0; index < 12; index++) sum += this.fraction()
    return sum
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]
  }
}
