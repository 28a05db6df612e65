/**
 * Rows in the order of their labels, as every matrix is answered.
 *
 * Each distinct text gets its rank once, so that label sets compare as numbers; runs are sorted and merged in slices between
 * which others have their turn.
 */
import { compareUtf8 } from '@varve/tsdb-core/model'
import type { QueryContext } from './query-context.js'

const RUN_LENGTH = 2048

/** Indexes into `labelSets`, the smallest labels first. */
export async function sortRows(
  context: QueryContext,
  labelSets: Uint32Array | readonly number[],
): Promise<Uint32Array<ArrayBuffer>> {
  const rows = Uint32Array.from({ length: labelSets.length }, (_, row) => row)
  return rows.length < 2 ? rows : mergeSort(context, rows, await byRank(context, labelSets))
}

/** Sorts in slices; the given array and a second one of its size are used up. */
async function mergeSort(
  context: QueryContext,
  rows: Uint32Array<ArrayBuffer>,
  compare: (a: number, b: number) => number,
): Promise<Uint32Array<ArrayBuffer>> {
  const count = rows.length
  let order = rows
  for (let from = 0; from < count; from += RUN_LENGTH) {
    order.subarray(from, Math.min(count, from + RUN_LENGTH)).sort(compare)
    if (context.shouldYield()) await context.yield()
  }
  let merged = new Uint32Array(count)
  for (let width = RUN_LENGTH; width < count; width *= 2) {
    for (let from = 0; from < count; from += 2 * width) {
      const middle = Math.min(count, from + width)
      const end = Math.min(count, from + 2 * width)
      let a = from
      let b = middle
      for (let to = from; to < end; to++) {
        const takesLeft = b >= end || (a < middle && compare(order[a], order[b]) <= 0)
        merged[to] = takesLeft ? order[a++] : order[b++]
        if ((to & 1023) === 0 && context.shouldYield()) await context.yield()
      }
    }
    ;[order, merged] = [merged, order]
  }
  return order
}

async function byRank(
  context: QueryContext,
  labelSets: Uint32Array | readonly number[],
): Promise<(a: number, b: number) => number> {
  const { labels } = context
  const { pairs, offsets } = labels
  /** First whether a text is used, then its place among those that are. */
  const rankOf = new Uint32Array(labels.textCount)
  let usedCount = 0
  for (let row = 0; row < labelSets.length; row++) {
    const set = labelSets[row]
    for (let i = offsets[set] * 2; i < offsets[set + 1] * 2; i++) {
      usedCount += 1 - rankOf[pairs[i]]
      rankOf[pairs[i]] = 1
    }
    if ((row & 255) === 255 && context.shouldYield()) await context.yield()
  }
  const used = new Uint32Array(usedCount)
  for (let id = 0, at = 0; at < usedCount; id++) if (rankOf[id] === 1) used[at++] = id
  const texts = await mergeSort(context, used, (a, b) => compareUtf8(labels.text(a), labels.text(b)))
  for (let rank = 0; rank < texts.length; rank++) rankOf[texts[rank]] = rank
  return (a, b) => {
    const setA = labelSets[a]
    const setB = labelSets[b]
    const startA = offsets[setA] * 2
    const startB = offsets[setB] * 2
    const lengthA = offsets[setA + 1] * 2 - startA
    const lengthB = offsets[setB + 1] * 2 - startB
    const shared = Math.min(lengthA, lengthB)
    for (let i = 0; i < shared; i++) {
      const x = pairs[startA + i]
      const y = pairs[startB + i]
      if (x !== y) return rankOf[x] - rankOf[y]
    }
    return lengthA - lengthB
  }
}
