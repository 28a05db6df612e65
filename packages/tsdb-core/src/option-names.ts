/**
 * Names of options that a caller gave: a misspelt one must not be passed over, since it may be the data folder.
 */
import { StorageError } from './errors.js'

/** @throws {StorageError} `INVALID_ARGUMENT` naming the first option that is not known, and those that are, nearest first. */
export function checkOptionNames(where: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new StorageError(
      'INVALID_ARGUMENT',
      `${where}: got ${describeValue(given)}, wanted an object with some of ${known.join(', ')}`,
    )
  }
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue
    throw new StorageError(
      'INVALID_ARGUMENT',
      `${where}: there is no option ${JSON.stringify(name)}; there are ${nearestFirst(name, known).join(', ')}`,
    )
  }
}

/** What came, for a message: short, whatever it is. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean') {
    return String(value)
  }
  if (typeof value === 'string') {
    return `the string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`
  }
  if (typeof value !== 'object') return `a ${typeof value}`
  const name = value.constructor?.name
  return name === undefined || name === 'Object' ? 'an object' : `an object of ${name}`
}

function nearestFirst(name: string, known: readonly string[]): string[] {
  const given = name.toLowerCase()
  const distances = new Map(known.map((one) => [one, distance(given, one.toLowerCase())]))
  return [...known].sort((a, b) => (distances.get(a) ?? 0) - (distances.get(b) ?? 0))
}

/** Edits from one to the other; 0 when one is the beginning of the other, as `dir` is of `directory`. */
function distance(a: string, b: string): number {
  if (a.length > 1 && (b.startsWith(a) || a.startsWith(b))) return 0
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= Math.min(a.length, 100); i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]
}
