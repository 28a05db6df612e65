/** Sorting very many label sets in short turns of the event loop: runs are sorted one by one, then merged. */
import { compareLabels, type Labels } from './labels.js'

/** Labels may be thousands of characters that are alike: so many are 5 ms to sort then. */
const RUN_LENGTH = 256

/** Sorts into a new list; calls `pause` before each run of 256, and as often while it merges. */
export function sortLabels(labels: readonly Labels[], pause: () => Promise<void> | undefined): Promise<Labels[]> {
  return sortByLabels(labels, (each) => each, pause)
}

/** As `sortLabels`, of what has labels. */
export async function sortByLabels<T>(
  items: readonly T[],
  labelsOf: (item: T) => Labels,
  pause: () => Promise<void> | undefined,
): Promise<T[]> {
  const compare = (a: T, b: T) => compareLabels(labelsOf(a), labelsOf(b))
  let from = items.slice()
  if (from.length <= RUN_LENGTH) return from.sort(compare)
  for (let at = 0; at < from.length; at += RUN_LENGTH) {
    await pause()
    const run = from.slice(at, at + RUN_LENGTH).sort(compare)
    for (let i = 0; i < run.length; i++) from[at + i] = run[i]
  }
  let into = new Array<T>(from.length)
  for (let width = RUN_LENGTH; width < from.length; width *= 2) {
    for (let at = 0; at < from.length; at += 2 * width) {
      const middle = Math.min(at + width, from.length)
      const end = Math.min(at + 2 * width, from.length)
      for (let a = at, b = middle, out = at; out < end; out++) {
        if (out % RUN_LENGTH === 0) await pause()
        into[out] = b >= end || (a < middle && compare(from[a], from[b]) <= 0) ? from[a++] : from[b++]
      }
    }
    const spare = from
    from = into
    into = spare
  }
  return from
}
