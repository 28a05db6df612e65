/** Which policies the rules of a book write to, and since when. */
import type { RuleBook } from './rule-book.js'
import type { StoragePolicy } from './storage-policy.js'

/** All policies that some rule in force, or some earlier version of one, writes to. */
export function policiesOf(book: RuleBook): StoragePolicy[] {
  const policies = new Map<string, StoragePolicy>()
  for (const { versions } of book.entries()) {
    for (const { rule } of versions) {
      if (rule?.kind !== 'mapping' && rule?.kind !== 'rollup') continue
      for (const policy of rule.policies) policies.set(policy.namespace, policy)
    }
  }
  return [...policies.values()].sort((a, b) => a.resolutionMs - b.resolutionMs)
}

/** When the first rule for the policy was seen. */
export function firstSeenOf(book: RuleBook, policy: StoragePolicy): number {
  let firstMs = Infinity
  for (const { versions } of book.entries()) {
    for (const { rule, seenMs, fromMs } of versions) {
      if (rule?.kind !== 'mapping' && rule?.kind !== 'rollup') continue
      if (rule.policies.some(({ namespace }) => namespace === policy.namespace)) {
        firstMs = Math.min(firstMs, Math.max(seenMs, fromMs))
      }
    }
  }
  return firstMs
}
