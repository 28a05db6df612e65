/**
 * Regular expressions over very many values, in short turns of the event loop.
 *
 * A pattern takes some microseconds a value, and a label can have hundreds of thousands; the match itself must not wait
 * between two values, since the index would change under it. So the values are tried before, with pauses, and the match looks
 * the verdicts up. What comes in meanwhile is tried when it is met.
 */
import type { CompiledMatcher } from '../query/label-matcher.js'
import type { LabelIndex } from './label-index.js'

/** Of fewer values the match itself is a short turn. */
const VALUE_COUNT_MIN = 8_192
const VALUES_PER_LOOK = 256

/** The same matchers; those that would take long over `index` know their verdicts already. */
export async function withVerdicts(
  index: LabelIndex,
  matchers: readonly CompiledMatcher[],
  pause: () => Promise<void> | undefined,
): Promise<readonly CompiledMatcher[]> {
  let out: CompiledMatcher[] | undefined
  for (let m = 0; m < matchers.length; m++) {
    const matcher = matchers[m]
    const label = index.label(matcher.matcher.name)
    if (matcher.literals !== undefined || label === undefined || label.count < VALUE_COUNT_MIN) continue
    const verdicts = new Map<string, boolean>()
    for (let i = 0; i < label.count; i++) {
      if (i % VALUES_PER_LOOK === 0) {
        const waiting = pause()
        if (waiting !== undefined) await waiting
      }
      const text = label.text(i)
      verdicts.set(text, matcher.matches(text))
    }
    out ??= [...matchers]
    out[m] = { ...matcher, matches: (text) => verdicts.get(text) ?? matcher.matches(text) }
  }
  return out ?? matchers
}
