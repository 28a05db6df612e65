/**
 * OpenTelemetry's names and units as Prometheus' names: underscores for what is not a letter or digit, the unit and `_total`
 * or `_ratio` behind.
 *
 * Source: OpenTelemetry's compatibility specification for Prometheus; prometheus/otlptranslator.
 */
const UNITS: ReadonlyMap<string, string> = new Map([
  ['d', 'days'],
  ['h', 'hours'],
  ['min', 'minutes'],
  ['s', 'seconds'],
  ['ms', 'milliseconds'],
  ['us', 'microseconds'],
  ['ns', 'nanoseconds'],
  ['By', 'bytes'],
  ['KiBy', 'kibibytes'],
  ['MiBy', 'mebibytes'],
  ['GiBy', 'gibibytes'],
  ['TiBy', 'tibibytes'],
  ['KBy', 'kilobytes'],
  ['MBy', 'megabytes'],
  ['GBy', 'gigabytes'],
  ['TBy', 'terabytes'],
  ['m', 'meters'],
  ['V', 'volts'],
  ['A', 'amperes'],
  ['J', 'joules'],
  ['W', 'watts'],
  ['g', 'grams'],
  ['Cel', 'celsius'],
  ['Hz', 'hertz'],
  ['1', ''],
  ['%', 'percent'],
])

const PER_UNITS: ReadonlyMap<string, string> = new Map([
  ['s', 'second'],
  ['m', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ['w', 'week'],
  ['mo', 'month'],
  ['y', 'year'],
])

export interface MetricShape {
  readonly unit: string
  /** A sum that only grows. */
  readonly counter: boolean
  readonly gauge: boolean
}

export function prometheusMetricName(name: string, { unit, counter, gauge }: MetricShape): string {
  let tokens = name.split(/[^A-Za-z0-9:]+/).filter((token) => token !== '')
  const [main, per] = halvesOf(unit)
  const mainName = unitName(main, UNITS)
  if (mainName !== '' && !tokens.includes(mainName)) tokens.push(mainName)
  if (per !== undefined) {
    const perName = unitName(per, PER_UNITS)
    if (perName !== '' && !tokens.includes(perName)) tokens.push('per', perName)
  }
  if (counter) tokens = [...tokens.filter((token) => token !== 'total'), 'total']
  if (gauge && unit.trim() === '1') tokens = [...tokens.filter((token) => token !== 'ratio'), 'ratio']
  const joined = tokens.join('_')
  return /^[0-9]/.test(joined) ? `_${joined}` : joined
}

/** The unit in Prometheus' words, for metadata. */
export function prometheusUnit(unit: string): string {
  const [main, per] = halvesOf(unit)
  const names = [unitName(main, UNITS), per === undefined ? '' : unitName(per, PER_UNITS)]
  return names[1] === '' ? names[0] : [names[0], 'per', names[1]].filter((part) => part !== '').join('_')
}

/** Before the first slash and all behind it. */
function halvesOf(unit: string): [main: string, per: string | undefined] {
  const slash = unit.indexOf('/')
  return slash < 0 ? [unit, undefined] : [unit.slice(0, slash), unit.slice(slash + 1)]
}

function unitName(unit: string, names: ReadonlyMap<string, string>): string {
  const trimmed = unit.trim()
  // Annotations such as {requests} are no unit.
  if (trimmed === '' || /[{}]/.test(trimmed)) return ''
  const known = names.get(trimmed)
  if (known !== undefined) return known
  return trimmed
    .split(/[^A-Za-z0-9]+/)
    .filter((part) => part !== '')
    .join('_')
}

export function prometheusLabelName(key: string): string {
  const name = key.replace(/[^A-Za-z0-9_]/g, '_')
  if (/^[0-9]/.test(name)) return `key_${name}`
  return name.startsWith('_') && !name.startsWith('__') ? `key${name}` : name
}
