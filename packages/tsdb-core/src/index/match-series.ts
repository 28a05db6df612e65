/**
 * Which series pass a set of matchers.
 *
 * Matchers that a missing label cannot pass are looked up in the posting lists, the most selective first; the others take
 * series away. Once few series are left, the remaining matchers are tested on their label values instead, each distinct
 * value once.
 */
import type { CompiledMatcher } from '../query/label-matcher.js'
import type { LabelIndex, LabelValues } from './label-index.js'
import { EMPTY_POSTINGS, intersect, subtract, union } from './posting-list.js'

/** Sorted series of `index` that pass all matchers. Not to be changed. */
export function matchSeries(index: LabelIndex, matchers: readonly CompiledMatcher[]): Uint32Array {
  const selecting = matchers.filter((matcher) => !matcher.matchesEmpty)
  const removing = matchers.filter((matcher) => matcher.matchesEmpty)
  let result: Uint32Array | undefined
  if (selecting.length > 0) {
    const candidates: Candidate[] = []
    for (const matcher of selecting) {
      const label = index.label(matcher.matcher.name)
      if (label === undefined) return EMPTY_POSTINGS
      candidates.push({ matcher, label, cost: estimate(matcher, label, index.all().length) })
    }
    candidates.sort((a, b) => a.cost - b.cost)
    for (const { matcher, label, cost } of candidates) {
      if (result === undefined) result = seriesWith(label, matcher)
      else if (result.length * 4 < cost) result = filtered(index, result, matcher, label)
      else result = intersect(result, seriesWith(label, matcher))
      if (result.length === 0) return EMPTY_POSTINGS
    }
  }
  result ??= index.all()
  for (const matcher of removing) {
    const label = index.label(matcher.matcher.name)
    if (label === undefined) continue
    const cost = matcher.literals !== undefined && matcher.negated ? matcher.literals.length : label.count
    if (result.length * 4 < cost) result = filtered(index, result, matcher, label)
    else result = subtract(result, seriesWithout(label, matcher))
    if (result.length === 0) return EMPTY_POSTINGS
  }
  return result
}

interface Candidate {
  readonly matcher: CompiledMatcher
  readonly label: LabelValues
  readonly cost: number
}

/** About how many steps the posting lists of the matcher take. */
function estimate(matcher: CompiledMatcher, label: LabelValues, seriesCount: number): number {
  if (matcher.negated) return seriesCount + label.count
  if (matcher.literals !== undefined) {
    let cost = 0
    for (const literal of matcher.literals) {
      const place = label.find(literal)
      if (place >= 0) cost += label.seriesCount(place)
    }
    return cost
  }
  return label.count + seriesCount / 2
}

function seriesWith(label: LabelValues, matcher: CompiledMatcher): Uint32Array {
  const lists: Uint32Array[] = []
  if (!matcher.negated && matcher.literals !== undefined) {
    for (const literal of matcher.literals) {
      const place = label.find(literal)
      if (place >= 0) lists.push(label.postings(place))
    }
    return union(lists)
  }
  const [start, end] = (!matcher.negated && label.prefixRange?.(matcher.prefix)) || [0, label.count]
  for (let i = start; i < end; i++) if (matcher.matches(label.text(i))) lists.push(label.postings(i))
  return union(lists)
}

function seriesWithout(label: LabelValues, matcher: CompiledMatcher): Uint32Array {
  const lists: Uint32Array[] = []
  if (matcher.negated && matcher.literals !== undefined) {
    for (const literal of matcher.literals) {
      const place = label.find(literal)
      if (place >= 0) lists.push(label.postings(place))
    }
    return union(lists)
  }
  for (let i = 0; i < label.count; i++) if (!matcher.matches(label.text(i))) lists.push(label.postings(i))
  return union(lists)
}

function filtered(index: LabelIndex, series: Uint32Array, matcher: CompiledMatcher, label: LabelValues): Uint32Array {
  const { name } = matcher.matcher
  const verdicts = new Map<number, boolean>()
  const out = new Uint32Array(series.length)
  let count = 0
  for (let i = 0; i < series.length; i++) {
    const place = index.valueIndexOf(series[i], name)
    let passes = matcher.matchesEmpty
    if (place >= 0) {
      const known = verdicts.get(place)
      passes = known ?? matcher.matches(label.text(place))
      if (known === undefined) verdicts.set(place, passes)
    }
    if (passes) out[count++] = series[i]
  }
  return out.subarray(0, count)
}
