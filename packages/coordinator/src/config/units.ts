/** Durations and sizes as people write them: `15d`, `1h30m`, `forever`; `64MiB`, `1.5GB`. */
import { parseUnitDurationMs } from '../api/parameters.js'

const SIZE_UNITS = new Map([
  ['', 1],
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
])

/** Milliseconds; `Infinity` for `forever`; `null` when it is not a duration. */
export function parseDurationSetting(text: string): number | null {
  if (text === 'forever') return Infinity
  return parseUnitDurationMs(text)
}

/** Bytes, whole; `null` when it is not a size. */
export function parseSizeSetting(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]*)$/.exec(text)
  const unit = match === null ? undefined : SIZE_UNITS.get(match[2].toLowerCase())
  return match === null || unit === undefined ? null : Math.round(Number(match[1]) * unit)
}

export function formatDuration(ms: number): string {
  if (ms === Infinity) return 'forever'
  const units: readonly [string, number][] = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ]
  for (const [unit, size] of units) if (ms >= size && ms % size === 0) return `${ms / size}${unit}`
  return `${ms}ms`
}

export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024
    unit++
  }
  return `${unit === 0 ? bytes : bytes.toFixed(bytes < 10 ? 1 : 0)} ${units[unit]}`
}
