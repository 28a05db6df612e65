/** What the engine needs of Go's fmt and strconv besides `parser/go-text.ts`: messages must read like Prometheus'. */
import type { Labels } from '@varve/tsdb-core/model'
import { formatFloat, quote } from '../parser/go-text.js'

/** `%g`: the shortest digits, with an exponent below 1e-4 and from 1e6 on. */
export function formatG(value: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloat(value)
  const [digits, exponentText] = value.toExponential().split('e')
  const exponent = Number(exponentText)
  return exponent < -4 || exponent >= 6 ? withExponent(digits, exponent) : formatFloat(value)
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

function withExponent(digits: string, exponent: number): string {
  const size = Math.abs(exponent).toString().padStart(2, '0')
  return `${digits}e${exponent < 0 ? '-' : '+'}${size}`
}

/** All labels, the name among them, as errors show a series: `{__name__="up", job="api"}`. */
export function formatLabels(labels: Labels): string {
  const pairs = [...labels].map(
    ([name, value]) => `${/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quote(name)}=${quote(value)}`,
  )
  return `{${pairs.join(', ')}}`
}
