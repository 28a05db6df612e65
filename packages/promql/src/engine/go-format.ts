/** Numbers and texts as Go's fmt and strconv write them: messages and label values must read like Prometheus'. */
import type { Labels } from '@varve/tsdb-core/model'

/** `%g`: the shortest digits, with an exponent below 1e-4 and from 1e6 on. */
export function formatG(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [digits, exponentText] = value.toExponential().split('e')
  const exponent = Number(exponentText)
  return exponent < -4 || exponent >= 6 ? withExponent(digits, exponent) : plain(value)
}

/** `strconv.FormatFloat(v, 'f', -1, 64)`: never an exponent. */
export function formatFixed(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return Object.is(value, -0) ? '-0' : plain(value)
}

/** `%q`: a double-quoted Go string. */
export function quote(text: string): string {
  let quoted = '"'
  for (const character of text) quoted += ESCAPES.get(character) ?? escaped(character)
  return `${quoted}"`
}

/** `strconv.ParseFloat`; undefined where that fails. */
export function parseGoFloat(text: string): number | undefined {
  if (DECIMAL.test(text)) return Number(text)
  const special = SPECIAL.exec(text)
  if (special !== null) {
    if (special[2].toLowerCase() === 'nan') return special[1] === undefined ? Number.NaN : undefined
    return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }
  const hex = HEXADECIMAL.exec(text)
  if (hex === null) return undefined
  const [, sign, whole, fraction = '', exponent] = hex
  if (whole + fraction === '') return undefined
  const mantissa = Number.parseInt(`0${whole}${fraction}`, 16) * 2 ** (Number(exponent) - 4 * fraction.length)
  return sign === '-' ? -mantissa : mantissa
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/
const SPECIAL = /^([+-])?(inf|infinity|nan)$/i
const HEXADECIMAL = /^([+-])?0[xX]([\da-fA-F]*)\.?([\da-fA-F]*)[pP]([+-]?\d+)$/

const ESCAPES = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
])

function escaped(character: string): string {
  const code = character.codePointAt(0)!
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`
  if (code < 0x7f || /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(character)) return character
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
}

function withExponent(digits: string, exponent: number): string {
  const size = Math.abs(exponent).toString().padStart(2, '0')
  return `${digits}e${exponent < 0 ? '-' : '+'}${size}`
}

/** The shortest digits without an exponent. */
function plain(value: number): string {
  const text = String(value)
  const at = text.indexOf('e')
  if (at < 0) return text
  const exponent = Number(text.slice(at + 1))
  const negative = text.startsWith('-')
  const [whole, fraction = ''] = text.slice(negative ? 1 : 0, at).split('.')
  const digits = whole + fraction
  const point = whole.length + exponent
  const unsigned =
    point <= 0
      ? `0.${'0'.repeat(-point)}${digits}`
      : digits.length <= point
        ? digits + '0'.repeat(point - digits.length)
        : `${digits.slice(0, point)}.${digits.slice(point)}`
  return negative ? `-${unsigned}` : unsigned
}

/** All labels, the name among them, as errors show a series: `{__name__="up", job="api"}`. */
export function formatLabels(labels: Labels): string {
  const pairs = [...labels].map(
    ([name, value]) => `${/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quote(name)}=${quote(value)}`,
  )
  return `{${pairs.join(', ')}}`
}
