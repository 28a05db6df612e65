/** Which series pass a set of matchers, found once as long as the index does not change. */
import type { CompiledMatcher } from '../query/label-matcher.js'
import type { LabelIndex } from './label-index.js'
import { matchSeries } from './match-series.js'
import { withVerdicts } from './verdicts.js'

/** As `matchSeries`, from the cache of the index where it has the answer; `pause` is awaited while it is found. */
export async function matchedSeries(
  index: LabelIndex,
  matchers: readonly CompiledMatcher[],
  pause: () => Promise<void> | undefined,
): Promise<Uint32Array> {
  if (matchers.length === 0) return index.all()
  const key = keyOf(matchers)
  const known = index.matches.get(key)
  if (known !== undefined) return known
  const tried = await withVerdicts(index, matchers, pause)
  // Not a turn lies between the two: a series made known later would be missing.
  const found = matchSeries(index, tried)
  index.matches.set(key, found)
  return found
}

/** Lengths stand before texts, so that no two sets of matchers have one key. */
function keyOf(matchers: readonly CompiledMatcher[]): string {
  let key = ''
  for (const { matcher } of matchers) {
    const { name, operator, value } = matcher
    key += `${name.length}:${name}${operator}${value.length}:${value}`
  }
  return key
}
