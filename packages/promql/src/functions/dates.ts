/** Calendar functions: of the UTC time that a value means, in seconds since the Unix epoch. */
import type { FloatFunction } from './math.js'

export const DATE_FUNCTIONS: ReadonlyMap<string, FloatFunction> = new Map<string, FloatFunction>([
  ['days_in_month', of((date) => new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate())],
  ['day_of_month', of((date) => date.getUTCDate())],
  ['day_of_week', of((date) => date.getUTCDay())],
  ['day_of_year', of(dayOfYear)],
  ['hour', of((date) => date.getUTCHours())],
  ['minute', of((date) => date.getUTCMinutes())],
  ['month', of((date) => date.getUTCMonth() + 1)],
  ['year', of((date) => date.getUTCFullYear())],
])

function of(read: (date: Date) => number): FloatFunction {
  return (seconds) => {
    // Whole seconds, cut off towards zero, as Go's int64() does; what no date can be has no parts.
    const date = new Date(Math.trunc(seconds) * 1000)
    return read(date)
  }
}

function dayOfYear(date: Date): number {
  const start = Date.UTC(date.getUTCFullYear(), 0, 1)
  return Math.floor((date.getTime() - start) / 86_400_000) + 1
}
