/**
 * Durations as Prometheus writes them: `1y2w3d4h5m6s7ms`, largest unit first.
 *
 * Source: prometheus/common, model.ParseDuration and model.Duration.String.
 */
import { quote } from './go-text.js'

const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ['y', 365 * 86_400_000],
  ['w', 7 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]
/** Go keeps durations as nanoseconds in an int64. */
const DURATION_MS_MAX = Number(2n ** 63n / 1_000_000n)
export const DURATION_SECONDS_MAX = 2 ** 63 / 1e9

/** Milliseconds, or the text of what is wrong. */
export function parseDuration(text: string): number | string {
  if (text === '0') return 0
  if (text === '') return 'empty duration string'
  const invalid = `not a valid duration string: ${quote(text)}`
  let total = 0
  let unitMin = 0
  for (let rest = text; rest !== ''; ) {
    const match = /^(\d+)(\D+)/.exec(rest)
    if (!match) return invalid
    const [whole, digits, unit] = match
    rest = rest.slice(whole.length)
    const index = UNITS.findIndex(([name]) => name === unit)
    if (index < 0) return `unknown unit ${quote(unit)} in duration ${quote(text)}`
    if (index < unitMin) return invalid
    unitMin = index + 1
    const ms = Number(digits) * UNITS[index][1]
    total += ms
    if (ms > DURATION_MS_MAX || total > DURATION_MS_MAX) return 'duration out of range'
  }
  return total
}

/** Years and weeks only where nothing is left: `90d` is easier to read than `12w6d`. */
export function formatDuration(ms: number): string {
  ms = Math.trunc(ms)
  if (ms === 0) return '0s'
  let out = ''
  for (const [unit, size] of UNITS) {
    if ((unit === 'y' || unit === 'w') && ms % size !== 0) continue
    const count = Math.floor(ms / size)
    if (count <= 0) continue
    out += `${count}${unit}`
    ms -= count * size
  }
  return out
}

/** Seconds to whole milliseconds as Go does it: rounded to nanoseconds, then cut. */
export function millisecondsOf(seconds: number): number {
  const ns = roundHalfAway(seconds * 1e9)
  return Math.trunc(ns / 1e6) + 0
}

/** Go's `math.Round`: halves go away from zero. */
export function roundHalfAway(value: number): number {
  return value < 0 ? -Math.round(-value) : Math.round(value)
}
