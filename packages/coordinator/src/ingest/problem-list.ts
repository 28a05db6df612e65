/**
 * Why parts of a request were not stored: grouped by reason, with one example each, in at most 1,024 bytes of text.
 *
 * A sender logs the answer's first kilobyte, so the distinct reasons must stand there and not one line a sample.
 */
const TEXT_SIZE_MAX = 1024
const EXAMPLE_SIZE_MAX = 240

export type ProblemUnit = 'sample' | 'series' | 'histogram' | 'exemplar'

interface Problem {
  readonly unit: ProblemUnit
  readonly reason: string
  readonly example: string
  count: number
}

export class ProblemList {
  readonly #problems = new Map<string, Problem>()

  get isEmpty(): boolean {
    return this.#problems.size === 0
  }

  /** `reason` comes from a closed set, `example` (made for the first one only) may hold text from the request. */
  add(unit: ProblemUnit, reason: string, example: () => string, count = 1): void {
    const key = `${unit} ${reason}`
    const problem = this.#problems.get(key)
    if (problem !== undefined) problem.count += count
    else this.#problems.set(key, { unit, reason, example: clip(example(), EXAMPLE_SIZE_MAX), count })
  }

  /** Those of another list, as if they had been added here. */
  addAll(other: ProblemList): void {
    for (const { unit, reason, example, count } of other.#problems.values())
      this.add(unit, reason, () => example, count)
  }

  /** How many samples, series … were left out for each reason. */
  *counts(): Iterable<{ unit: ProblemUnit; reason: string; count: number }> {
    for (const { unit, reason, count } of this.#problems.values()) yield { unit, reason, count }
  }

  /** `2 series: missing metric name, first {"a"="b"}`, one line a reason, most frequent first. */
  toString(): string {
    const lines = [...this.#problems.values()]
      .sort((a, b) => b.count - a.count)
      .map(({ unit, reason, example, count }) => `${count} ${plural(unit, count)}: ${reason}, first ${example}`)
    return clip(lines.join('\n'), TEXT_SIZE_MAX - 1)
  }
}

function plural(unit: ProblemUnit, count: number): string {
  return count === 1 || unit === 'series' ? unit : `${unit}s`
}

/** At most `size` bytes of UTF-8, whole characters, control characters shown as spaces. */
function clip(text: string, size: number): string {
  const clean = text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, ' ')
  if (Buffer.byteLength(clean) <= size) return clean
  let cut = clean.slice(0, size - 3)
  while (Buffer.byteLength(cut) > size - 3) cut = cut.slice(0, -1)
  return `${cut}…`
}
