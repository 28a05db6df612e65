/**
 * Set operations on posting lists: sorted `Uint32Array`s without repetition.
 *
 * A union of many lists goes through a bitset when they are dense, else through a sort; an intersection of a short list
 * with a long one searches by galloping.
 */

export const EMPTY_POSTINGS = new Uint32Array(0)

/** Series that are in both. */
export function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  if (a.length > b.length) [a, b] = [b, a]
  const out = new Uint32Array(a.length)
  let count = 0
  if (a.length * 16 < b.length) {
    let from = 0
    for (let i = 0; i < a.length && from < b.length; i++) {
      from = gallop(b, from, a[i])
      if (b[from] === a[i]) out[count++] = a[i]
    }
    return out.subarray(0, count)
  }
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const x = a[i]
    const y = b[j]
    if (x === y) out[count++] = x
    if (x <= y) i++
    if (y <= x) j++
  }
  return out.subarray(0, count)
}

/** Series of `a` that are not in `b`. */
export function subtract(a: Uint32Array, b: Uint32Array): Uint32Array {
  if (a.length === 0 || b.length === 0) return a
  const out = new Uint32Array(a.length)
  let count = 0
  let from = 0
  for (let i = 0; i < a.length; i++) {
    const x = a[i]
    if (from < b.length && b[from] < x) from = gallop(b, from, x)
    if (from === b.length || b[from] !== x) out[count++] = x
  }
  return out.subarray(0, count)
}

/** Series that are in at least one of the lists. */
export function union(lists: readonly Uint32Array[]): Uint32Array {
  if (lists.length === 0) return EMPTY_POSTINGS
  if (lists.length === 1) return lists[0]
  let total = 0
  let first = 0xffffffff
  let last = 0
  for (const list of lists) {
    if (list.length === 0) continue
    total += list.length
    if (list[0] < first) first = list[0]
    if (list[list.length - 1] > last) last = list[list.length - 1]
  }
  if (total === 0) return EMPTY_POSTINGS
  // Half an operation a bit of the range against some ten a sorted element.
  return last - first < total * 64 ? unionByBitset(lists, first, last, total) : unionBySort(lists, total)
}

function unionByBitset(lists: readonly Uint32Array[], first: number, last: number, total: number): Uint32Array {
  const bits = new Uint32Array(((last - first) >>> 5) + 1)
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      const place = list[i] - first
      bits[place >>> 5] |= 1 << (place & 31)
    }
  }
  const out = new Uint32Array(Math.min(total, last - first + 1))
  let count = 0
  for (let word = 0; word < bits.length; word++) {
    for (let rest = bits[word]; rest !== 0; rest &= rest - 1) {
      out[count++] = first + word * 32 + (31 - Math.clz32(rest & -rest))
    }
  }
  return out.subarray(0, count)
}

function unionBySort(lists: readonly Uint32Array[], total: number): Uint32Array {
  const all = new Uint32Array(total)
  let at = 0
  for (const list of lists) {
    all.set(list, at)
    at += list.length
  }
  all.sort()
  let count = 0
  for (let i = 0; i < total; i++) if (i === 0 || all[i] !== all[i - 1]) all[count++] = all[i]
  return all.subarray(0, count)
}

/** First place from `from` on whose element is not less than `wanted`. */
function gallop(list: Uint32Array, from: number, wanted: number): number {
  let step = 1
  let low = from
  let high = from
  while (high < list.length && list[high] < wanted) {
    low = high + 1
    high += step
    step *= 2
  }
  if (high > list.length) high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (list[middle] < wanted) low = middle + 1
    else high = middle
  }
  return low
}
