/**
 * Natural order of texts: runs of digits compare as numbers, everything else as text.
 *
 * Source of the corner cases: facette/natsort, which Prometheus uses: texts are cut into chunks of digits and of other
 * characters; a number beside text is text, so that `+Inf` comes before `0`.
 */
const CHUNKS = /\d+|\D+/g

export function compareNatural(a: string, b: string): number {
  const left = a.match(CHUNKS) ?? []
  const right = b.match(CHUNKS) ?? []
  for (let i = 0; i < left.length; i++) {
    if (i >= right.length) return 1
    const x = left[i]
    const y = right[i]
    if (x === y) continue
    const xIsNumber = isDigit(x)
    const yIsNumber = isDigit(y)
    if (xIsNumber && yIsNumber) {
      const difference = compareNumbers(x, y)
      if (difference !== 0) return difference
      // 01 and 1: the same number, the longer text first.
      if (i === left.length - 1 && i === right.length - 1) return y.length - x.length
      continue
    }
    return x < y ? -1 : 1
  }
  return left.length - right.length
}

function isDigit(chunk: string): boolean {
  return chunk >= '0' && chunk < ':'
}

function compareNumbers(a: string, b: string): number {
  const x = a.replace(/^0+/, '')
  const y = b.replace(/^0+/, '')
  if (x.length !== y.length) return x.length - y.length
  return x < y ? -1 : x > y ? 1 : 0
}
