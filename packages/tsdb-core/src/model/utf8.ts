/**
 * Order of two strings by their UTF-8 bytes, without encoding them.
 *
 * UTF-16 order differs only where a surrogate (U+10000 and above) meets U+E000..U+FFFF: there the surrogate is the larger.
 */
export function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
