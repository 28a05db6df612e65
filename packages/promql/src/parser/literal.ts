/** Values of number and string tokens, read as Go's `strconv` reads them. */
import { quote } from './go-text.js'

/** The number, or the text of what is wrong: whole numbers in any base first (`0755` is octal), then floats. */
export function parseNumber(text: string): number | string {
  const whole = parseWhole(text)
  if (whole !== undefined) return whole
  const failure = (what: string) => `error parsing number: strconv.ParseFloat: parsing ${quote(text)}: ${what}`
  const lower = text.toLowerCase()
  if (lower === 'inf') return Number.POSITIVE_INFINITY
  if (lower === 'nan') return Number.NaN
  if (!/^(\d+(_\d+)*)?\.?(\d+(_\d+)*)?([eE][+-]?\d+(_\d+)*)?$/.test(text) || !/^[\d.]*\d/.test(text)) {
    return failure('invalid syntax')
  }
  const value = Number(text.replaceAll('_', ''))
  return Number.isFinite(value) ? value : failure('value out of range')
}

const WHOLE: readonly (readonly [pattern: RegExp, prefix: string])[] = [
  [/^0[xX](?:_?[0-9a-fA-F])+$/, '0x'],
  [/^0[oO](?:_?[0-7])+$/, '0o'],
  [/^0[bB](?:_?[01])+$/, '0b'],
  [/^0(?:_?[0-7])+$/, '0o'],
  [/^(?:0|[1-9](?:_?\d)*)$/, ''],
]

function parseWhole(text: string): number | undefined {
  for (const [pattern, prefix] of WHOLE) {
    if (!pattern.test(text)) continue
    const digits = text.replaceAll('_', '').replace(/^0[xXoObB]/, '')
    const value = BigInt(prefix + digits)
    return value < 2n ** 63n ? Number(value) : undefined
  }
  return undefined
}

const NAMED_ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
}

/**
 * The text of a quoted string, which the lexer has found to be well formed.
 *
 * `\xFF` and octal escapes are bytes: where they do not make up UTF-8, the replacement character stands, since texts here
 * are Unicode.
 */
export function unquote(token: string): string {
  const inner = token.slice(1, -1)
  if (token[0] === '`' || !inner.includes('\\')) return inner
  const bytes: number[] = []
  const encoder = new TextEncoder()
  for (let i = 0; i < inner.length; ) {
    if (inner[i] !== '\\') {
      const c = String.fromCodePoint(inner.codePointAt(i) ?? 0)
      bytes.push(...encoder.encode(c))
      i += c.length
      continue
    }
    const kind = inner[i + 1]
    const length = kind === 'x' ? 2 : kind === 'u' ? 4 : kind === 'U' ? 8 : 0
    if (length > 0) {
      const code = Number.parseInt(inner.slice(i + 2, i + 2 + length), 16)
      if (kind === 'x') bytes.push(code)
      else bytes.push(...encoder.encode(String.fromCodePoint(code)))
      i += 2 + length
    } else if (kind >= '0' && kind <= '7') {
      bytes.push(Number.parseInt(inner.slice(i + 1, i + 4), 8))
      i += 4
    } else {
      bytes.push(NAMED_ESCAPES[kind] ?? kind.charCodeAt(0))
      i += 2
    }
  }
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes))
}

/** Any text of valid UTF-8 but the empty one. What was not UTF-8 in the query reads as the replacement character. */
export function isValidLabelName(name: string): boolean {
  return name !== '' && !/[\ufffd\p{Surrogate}]/u.test(name)
}
