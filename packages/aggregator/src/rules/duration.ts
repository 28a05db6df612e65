/**
 * Durations as people write them in rules: `90d`, `1h30m`, `500ms`. A day has 24 hours, a week 7 days, a year 365 days.
 *
 * The same units as PromQL's, in falling order, each at most once.
 */
const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ['y', 365 * 86_400_000],
  ['w', 7 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]
const PATTERN = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/

/** Milliseconds, `Infinity` for `forever`, `null` when the text is no duration or not a positive one. */
export function parseDuration(text: string): number | null {
  if (text === 'forever') return Infinity
  const match = PATTERN.exec(text)
  if (match === null) return null
  let totalMs = 0
  UNITS.forEach(([, ms], index) => {
    if (match[index + 1] !== undefined) totalMs += Number(match[index + 1]) * ms
  })
  return totalMs > 0 && Number.isSafeInteger(totalMs) ? totalMs : null
}

/** The shortest text with one unit that `parseDuration` reads back: `90000` is `90s`. */
export function formatDuration(durationMs: number): string {
  if (durationMs === Infinity) return 'forever'
  for (const [unit, ms] of UNITS) {
    // Weeks and years are left out, so that `14d` stays what people call it.
    if (unit !== 'w' && unit !== 'y' && durationMs % ms === 0) return `${durationMs / ms}${unit}`
  }
  return `${durationMs}ms`
}
