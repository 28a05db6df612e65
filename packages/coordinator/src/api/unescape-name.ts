/**
 * Label names in URLs: `U__` starts an escaped name, in which `_2e_` stands for the code point 0x2e and `__` for `_`.
 * Source: prometheus/common, model/metric.go (value encoding).
 */
export function unescapeLabelName(name: string): string {
  if (!name.startsWith('U__')) return name
  const escaped = name.slice(3)
  let result = ''
  for (let i = 0; i < escaped.length; i++) {
    if (escaped[i] !== '_') {
      result += escaped[i]
      continue
    }
    if (escaped[i + 1] === '_') {
      result += '_'
      i++
      continue
    }
    const end = escaped.indexOf('_', i + 1)
    const digits = end < 0 ? '' : escaped.slice(i + 1, end)
    const codePoint = /^[0-9a-fA-F]{1,6}$/.test(digits) ? Number.parseInt(digits, 16) : -1
    // What is not well escaped was never escaped: it is taken as it is.
    if (codePoint < 0 || codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) return name
    result += String.fromCodePoint(codePoint)
    i = end
  }
  return result
}
