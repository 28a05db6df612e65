/**
 * Parameters of an API request: from the URL and from a form body, the body's first, as Go merges them.
 *
 * Texts of errors are Prometheus' own, since clients show them and tests compare them.
 * Source: Prometheus, web/api/v1/api.go.
 */
import type { HttpRequest } from '../server/http.js'
import { ApiError, invalidParameter } from './envelope.js'

/** What Prometheus takes for "any time": far enough, and exact in a double. */
export const TIME_MS_MIN = -9_007_199_254_740_000
export const TIME_MS_MAX = 9_007_199_254_740_000
/** Go prints its own bounds like this, and clients send them back. */
const TIME_TEXT_MIN = '-292273086-05-16T16:47:06Z'
const TIME_TEXT_MAX = '292277025-08-18T07:12:54.999999999Z'
const NANOSECONDS_MAX = 2 ** 63

export class Parameters {
  readonly #form: URLSearchParams
  readonly #query: URLSearchParams

  constructor(request: Pick<HttpRequest, 'method' | 'header' | 'body' | 'query'>) {
    this.#query = request.query
    const type = request.header('content-type')?.split(';')[0].trim().toLowerCase()
    this.#form =
      type === 'application/x-www-form-urlencoded'
        ? new URLSearchParams(Buffer.from(request.body).toString('utf8'))
        : NONE
  }

  /** The first value, `''` when there is none: the two are the same to Prometheus. */
  get(name: string): string {
    return this.#form.get(name) ?? this.#query.get(name) ?? ''
  }

  getAll(name: string): string[] {
    return [...this.#form.getAll(name), ...this.#query.getAll(name)]
  }

  /** Milliseconds; throws in the words of `query_range`. */
  timeMs(name: string): number {
    const text = this.get(name)
    const timeMs = parseTimeMs(text)
    if (timeMs === null) throw invalidParameter(name, `cannot parse ${goQuote(text)} to a valid timestamp`)
    return timeMs
  }

  /** Milliseconds; throws in the words of `query` and the metadata endpoints. */
  timeMsOr(name: string, absent: number): number {
    const text = this.get(name)
    if (text === '') return absent
    const timeMs = parseTimeMs(text)
    if (timeMs === null) {
      throw invalidParameter(
        name,
        `invalid time value for '${name}': cannot parse ${goQuote(text)} to a valid timestamp`,
      )
    }
    return timeMs
  }

  durationMs(name: string): number {
    const text = this.get(name)
    const parsed = parseDurationMs(text)
    if (typeof parsed === 'string') throw invalidParameter(name, parsed)
    return parsed
  }

  durationMsOr(name: string, absent: number): number {
    return this.get(name) === '' ? absent : this.durationMs(name)
  }

  /** 0: no limit. */
  limit(name = 'limit'): number {
    const text = this.get(name)
    if (text === '') return 0
    const limit = parseWholeNumber(text)
    if (limit === null) {
      // Beyond what a double holds there is no limit; beyond what Go's integers hold is an error.
      const isWhole = /^[+-]?\d+$/.test(text)
      if (isWhole && BigInt.asIntN(64, BigInt(text)) === BigInt(text))
        return text.startsWith('-') ? this.#negative(name) : 0
      const reason = isWhole ? 'value out of range' : 'invalid syntax'
      throw invalidParameter(name, `strconv.Atoi: parsing ${goQuote(text)}: ${reason}`)
    }
    if (limit < 0) this.#negative(name)
    return limit
  }

  #negative(name: string): never {
    throw invalidParameter(name, 'limit must be non-negative')
  }
}

const NONE = new URLSearchParams()
/** What Go makes of seconds that are not a number: the least of its durations. */
const DURATION_MS_MIN = -9_223_372_036_854

export function parseWholeNumber(text: string): number | null {
  if (!/^[+-]?\d+$/.test(text)) return null
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : null
}

/** Go's float syntax as far as anybody sends it; `null` for anything else. */
function parseFloatText(text: string): number | null {
  // Digits that overflow are an error in Go, the word for infinity is not.
  if (/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number.isFinite(Number(text)) ? Number(text) : null
  const word = /^([+-]?)(inf|infinity)$/i.exec(text)
  if (word !== null) return word[1] === '-' ? -Infinity : Infinity
  return /^nan$/i.test(text) ? NaN : null
}

/** Seconds with a fraction, or RFC 3339; rounded to a millisecond. Any number in bounds is taken, the year 50,000 too. */
export function parseTimeMs(text: string): number | null {
  const seconds = parseFloatText(text)
  if (seconds !== null) {
    if (Number.isNaN(seconds)) return null
    if (Math.abs(seconds) * 1000 >= TIME_MS_MAX) return seconds > 0 ? TIME_MS_MAX : TIME_MS_MIN
    const whole = Math.trunc(seconds)
    return whole * 1000 + Math.round((seconds - whole) * 1000)
  }
  if (text === TIME_TEXT_MIN) return TIME_MS_MIN
  if (text === TIME_TEXT_MAX) return TIME_MS_MAX
  const match = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.exec(text)
  if (match === null) return null
  const [, day, time, fraction = '', zone] = match
  const timeMs = Date.parse(`${day}T${time}${zone.toUpperCase()}`)
  if (Number.isNaN(timeMs)) return null
  return timeMs + Math.floor(Number(`0${fraction}`) * 1000)
}

/** Milliseconds, or the text of an error. */
export function parseDurationMs(text: string): number | string {
  const seconds = parseFloatText(text)
  if (seconds !== null) {
    if (Number.isNaN(seconds)) return DURATION_MS_MIN
    if (Math.abs(seconds) * 1e9 > NANOSECONDS_MAX) {
      return `cannot parse ${goQuote(text)} to a valid duration. It overflows int64`
    }
    return Math.trunc(seconds * 1000)
  }
  const units = parseUnitDurationMs(text)
  return units ?? `cannot parse ${goQuote(text)} to a valid duration`
}

const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/
const UNIT_MS = [365 * 86_400_000, 7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1000, 1]

/** `1h30m`, each unit once and in falling order, as Prometheus writes durations; `null` when it is not one. */
export function parseUnitDurationMs(text: string): number | null {
  if (text === '0') return 0
  const match = text === '' ? null : DURATION.exec(text)
  if (match === null) return null
  let totalMs = 0
  for (let i = 0; i < UNIT_MS.length; i++) totalMs += Number(match[i + 1] ?? 0) * UNIT_MS[i]
  return totalMs * 1e6 > NANOSECONDS_MAX ? null : totalMs
}

/** As Go's `%q`: near enough to JSON for all that is printable. */
export function goQuote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
}

/** Throws unless the range runs forward. */
export function checkRange(startMs: number, endMs: number, message: string): void {
  if (endMs < startMs) throw new ApiError('bad_data', message)
}
