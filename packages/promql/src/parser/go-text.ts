/**
 * Texts as Go's `fmt` and `strconv` print them: Prometheus' messages are full of them, and clients compare messages.
 */

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u
/** Nearly every name: printable ASCII without a quote or a backslash. */
const PLAIN = /^[ !#-[\]-~]*$/
const ESCAPES: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
}

/** `strconv.Quote`, and `%q` of a string. */
export function quote(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  let out = '"'
  for (const c of text) out += c === '"' ? '\\"' : escaped(c)
  return `${out}"`
}

/** `%q` of a rune; nothing stands for the end of the input. */
export function quoteRune(c: string): string {
  if (c === '') return "'\ufffd'"
  return c === "'" ? "'\\''" : `'${escaped(c)}'`
}

/** `%#U` of a rune: `U+0071 'q'`. */
export function unicodeRune(c: string): string {
  const hex = (c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return PRINTABLE.test(c) ? `U+${hex} '${c}'` : `U+${hex}`
}

function escaped(c: string): string {
  const named = ESCAPES[c]
  if (named !== undefined) return named
  if (PRINTABLE.test(c)) return c
  const code = c.codePointAt(0) ?? 0
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`
  if (code >= 0xd800 && code < 0xe000) return '\ufffd'
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`
}

/** `strconv.FormatFloat(value, 'f', -1, 64)`: the shortest digits that read back the same, never an exponent. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  if (Object.is(value, -0)) return '-0'
  const text = String(value)
  const match = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text)
  if (!match) return text
  const [, sign, whole, fraction = '', exponentText] = match
  const exponent = Number(exponentText)
  const digits = whole + fraction
  if (exponent >= 0) return sign + digits.padEnd(whole.length + exponent, '0')
  return `${sign}0.${'0'.repeat(-exponent - whole.length)}${digits}`
}

/** `%v` and `%g` of a float: an exponent below 1e-4 and from 1e21 on, with at least two digits. */
export function formatFloatG(value: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloat(value)
  const size = Math.abs(value)
  if (size >= 1e-4 && size < 1e21) return formatFloat(value)
  const [mantissa, exponent] = value.toExponential().split('e')
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`
}

/** `%f` of a float: six decimals. */
export function formatFloatFixed(value: number, decimals = 6): string {
  if (!Number.isFinite(value)) return formatFloat(value)
  // toFixed turns to exponents from 1e21 on, where a float has no fraction.
  if (Object.is(value, -0)) return `-${formatFloatFixed(0, decimals)}`
  return Math.abs(value) < 1e21 ? value.toFixed(decimals) : `${BigInt(value)}.${'0'.repeat(decimals)}`
}
