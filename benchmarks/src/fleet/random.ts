/** The generator behind a fleet: small, seeded, the same on every machine. */
export class FleetRandom {
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

  /** Roughly normal, mean 0, deviation 1: four uniform numbers are near enough for load. */
  normal(): number {
    return (this.fraction() + this.fraction() + this.fraction() + this.fraction() - 2) * 1.7320508
  }

  /** How many events a step of `mean` expected ones brings. */
  events(mean: number): number {
    if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()))
    const drawn = this.fraction()
    let term = Math.exp(-mean)
    let sum = term
    let count = 0
    for (; drawn > sum && count < 200; sum += term) term *= mean / ++count
    return count
  }
}

/** A seed that depends on each of its parts. */
export function seedOf(...parts: number[]): number {
  let hash = 0x811c9dc5
  for (const part of parts) {
    hash = Math.imul(hash ^ (part | 0), 0x01000193)
    hash ^= hash >>> 15
  }
  return hash
}
