/** What somebody may have meant by a name that there is not. */

/** The name that is nearest by letters to change, or of which `word` is the start; undefined when none is near. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const started = word.length > 1 ? names.find((name) => name.startsWith(word)) : undefined
  if (started !== undefined) return started
  let found: string | undefined
  let fewest = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const name of names) {
    const count = changes(word, name)
    if (count >= fewest) continue
    fewest = count
    found = name
  }
  return found
}

/** Letters to add, remove or replace (Levenshtein), row by row. */
function changes(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 0; i < from.length; i++) {
    const row = [i + 1]
    for (let k = 0; k < to.length; k++) {
      row.push(Math.min(row[k] + 1, above[k + 1] + 1, above[k] + (from[i] === to[k] ? 0 : 1)))
    }
    above = row
  }
  return above[to.length]
}
