/**
 * Which of many selectors match a series, without trying them all.
 *
 * Each selector is filed under the one of its tests that leaves fewest series: an exact metric name; else an exact value of
 * another label; else the beginning of the metric name. The rest is tried in turn. With a thousand rules a new series costs
 * a few look-ups and the few tests that they leave.
 */
import { type Labels, type Matcher, METRIC_NAME } from '@varve/tsdb-core/model'
import { type CompiledMatcher, compileMatcher } from '@varve/tsdb-core/query'

interface Selector {
  readonly index: number
  readonly matchers: readonly CompiledMatcher[]
}

export class RuleMatcher {
  /** Label name → value → selectors with an exact test on it. */
  readonly #byValue = new Map<string, Map<string, Selector[]>>()
  readonly #byPrefix = new Map<string, Selector[]>()
  readonly #prefixLengths: number[] = []
  readonly #others: Selector[] = []

  /** Answers are indexes into `selectors`. */
  constructor(selectors: readonly (readonly Matcher[])[]) {
    for (const [index, matchers] of selectors.entries()) this.#file({ index, matchers: matchers.map(compileMatcher) })
    this.#prefixLengths.sort((a, b) => a - b)
  }

  /** The indexes of all selectors that match, rising. */
  match(labels: Labels): number[] {
    const found: number[] = []
    const { flat } = labels
    let metricName = ''
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] === METRIC_NAME) metricName = flat[i + 1]
      const candidates = this.#byValue.get(flat[i])?.get(flat[i + 1])
      if (candidates) addMatching(candidates, labels, found)
    }
    for (const length of this.#prefixLengths) {
      if (length > metricName.length) break
      const candidates = this.#byPrefix.get(metricName.slice(0, length))
      if (candidates) addMatching(candidates, labels, found)
    }
    addMatching(this.#others, labels, found)
    return found.length > 1 ? found.sort((a, b) => a - b) : found
  }

  #file(selector: Selector): void {
    const exact = selector.matchers.filter(isExact)
    const best = exact.find(({ matcher }) => matcher.name === METRIC_NAME) ?? exact[0]
    if (best) {
      const { name } = best.matcher
      let values = this.#byValue.get(name)
      if (!values) this.#byValue.set(name, (values = new Map()))
      for (const value of best.literals!) append(values, value, selector)
      return
    }
    const prefixed = selector.matchers.find((m) => m.matcher.name === METRIC_NAME && !m.negated && m.prefix !== '')
    if (!prefixed) {
      this.#others.push(selector)
      return
    }
    const { prefix } = prefixed
    if (!this.#prefixLengths.includes(prefix.length)) this.#prefixLengths.push(prefix.length)
    append(this.#byPrefix, prefix, selector)
  }
}

/** Exactly these values pass, and the empty one, which no series carries, is not among them. */
function isExact(compiled: CompiledMatcher): boolean {
  return !compiled.negated && !compiled.matchesEmpty && compiled.literals !== undefined && compiled.literals.length > 0
}

function append(map: Map<string, Selector[]>, key: string, selector: Selector): void {
  const list = map.get(key)
  if (list) list.push(selector)
  else map.set(key, [selector])
}

function addMatching(candidates: readonly Selector[], labels: Labels, found: number[]): void {
  next: for (const { index, matchers } of candidates) {
    for (const compiled of matchers) if (!compiled.matches(labels.get(compiled.matcher.name))) continue next
    found.push(index)
  }
}
