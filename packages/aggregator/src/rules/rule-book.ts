/**
 * All rules with their history: which version of which rule holds for which window.
 *
 * A rollup is a function of samples and of rule history (DESIGN D6), so a version that was once in force is kept, with the
 * first window for which it holds, and a late sample is computed again under the rules of its own time.
 *
 * **R1** A version holds for windows that end after its `fromMs`, up to the `fromMs` of the next one.
 *   *Held by* `versionAt`.
 * **R2** A document that does not read leaves the last good version in force. *Held by* `update`.
 * **R3** A version is written to disk before a window is computed with it. *Held by* `RuleFollower`.
 * **R4** What a store lists at any later time decides, whatever its revision says: backups are restored.
 */
import type { RuleListing, StoredDocument } from '../stores/rule-store.js'
import { ruleIdText } from '../stores/rule-store.js'
import type { RuleProblem } from './document-text.js'
import type { Rule, RuleKind } from './rule.js'
import { type RuleReading, readRule, readRuleAt } from './rule-reader.js'

export interface RuleVersion {
  /** The store's, for people: the order of versions is that of the list. */
  readonly revision: number
  readonly text: string
  /** Null: the rule was deleted. */
  readonly rule: Rule | null
  /** Holds for windows that end after this time. */
  readonly fromMs: number
  /** When this node learned of it. */
  readonly seenMs: number
}

export interface RuleEntry {
  readonly kind: RuleKind
  readonly name: string
  readonly where: string
  /** Oldest first; never empty once a good document was seen. */
  readonly versions: readonly RuleVersion[]
  /** Of the newest document, if it does not read. */
  readonly problems: readonly RuleProblem[]
  readonly badRevision: number
}

/** What `update` found. A new or changed rule that is to hold for past windows says from when. */
export interface RuleChange {
  readonly kind: 'added' | 'changed' | 'deleted' | 'rejected' | 'mended'
  readonly id: string
  readonly problems: readonly RuleProblem[]
  readonly backfillFromMs: number | null
}

/** A rule keeps so many versions; older ones are forgotten, and their windows are then not computed again. */
const VERSIONS_MAX = 100
const NONE: ReadonlyMap<StoredDocument, RuleReading> = new Map()

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Entry = Omit<Mutable<RuleEntry>, 'versions'> & { versions: RuleVersion[] }

export class RuleBook {
  readonly #entries = new Map<string, Entry>()
  #strays: RuleListing['strays'] = []
  #revision = 0
  /** Grows with each change of a version: what was derived from the rules is then derived anew. */
  generation = 0

  get revision(): number {
    return this.#revision
  }

  get strays(): RuleListing['strays'] {
    return this.#strays
  }

  /** All rules that were ever seen, sorted by kind and name; deleted ones have a last version without a rule. */
  entries(): RuleEntry[] {
    return [...this.#entries.values()].sort((a, b) => (ruleIdText(a) < ruleIdText(b) ? -1 : 1))
  }

  entry(id: string): RuleEntry | undefined {
    return this.#entries.get(id)
  }

  /** The rules that hold for a window that ends at `windowEndMs`, oldest rule first, so that owners of outputs stay. */
  rulesAt(windowEndMs: number): Rule[] {
    const rules: { rule: Rule; since: number }[] = []
    for (const entry of this.#entries.values()) {
      const rule = versionAt(entry.versions, windowEndMs)?.rule
      if (rule) rules.push({ rule, since: entry.versions[0].revision })
    }
    return rules.sort((a, b) => a.since - b.since || (a.rule.name < b.rule.name ? -1 : 1)).map(({ rule }) => rule)
  }

  /** The rules that hold from now on, those with a later `from` too. */
  currentRules(): Rule[] {
    const rules: Rule[] = []
    for (const { versions } of this.#entries.values()) {
      const rule = versions.at(-1)?.rule
      if (rule) rules.push(rule)
    }
    return rules
  }

  /** The same, oldest rule first: the order in which outputs are owned. */
  currentRulesByAge(): Rule[] {
    const entries = [...this.#entries.values()].filter(({ versions }) => versions.length > 0)
    entries.sort((a, b) => a.versions[0].revision - b.versions[0].revision || (a.name < b.name ? -1 : 1))
    return entries.flatMap(({ versions }) => versions.at(-1)?.rule ?? [])
  }

  /** The times at which the rules in force change, rising: between two of them they are the same. */
  boundariesMs(): number[] {
    const times = new Set<number>()
    for (const { versions } of this.#entries.values()) {
      for (const version of versions) {
        times.add(version.fromMs)
        if (version.rule && version.rule.kind !== 'namespace' && version.rule.untilMs !== null)
          times.add(version.rule.untilMs)
      }
    }
    return [...times].sort((a, b) => a - b)
  }

  /** Whether a document is not the one in force, so that `update` has to read it. */
  isNews(document: StoredDocument): boolean {
    const last = this.#entries.get(ruleIdText(document))?.versions.at(-1)
    return !last?.rule || last.text !== document.text
  }

  /**
   * Takes over what a store lists. Changes hold for windows that end after `nowMs`, or as the document says. `readings` are those
   * of documents that the caller has read already.
   */
  update(listing: RuleListing, nowMs: number, readings: ReadonlyMap<StoredDocument, RuleReading> = NONE): RuleChange[] {
    this.#revision = listing.revision
    this.#strays = listing.strays
    const changes: RuleChange[] = []
    const listed = new Set<string>()
    const documents = [...listing.documents].sort((a, b) => a.revision - b.revision)
    for (const document of documents) {
      listed.add(ruleIdText(document))
      const change = this.#take(document, nowMs, readings.get(document))
      if (change) changes.push(change)
    }
    if (listing.complete) {
      for (const [id, entry] of this.#entries) if (!listed.has(id)) changes.push(...this.#remove(id, entry, nowMs))
    }
    if (changes.some(({ kind }) => kind !== 'rejected' && kind !== 'mended')) this.generation++
    return changes
  }

  /**
   * Lets the version in force hold for windows that end after `fromMs` already; earlier versions that began since then hold
   * for none any more, and are kept for what they dropped. Returns those. For a backfill: with a clone, which is then written.
   */
  backdate(id: string, fromMs: number): readonly RuleVersion[] {
    const entry = this.#entries.get(id)
    const last = entry?.versions.at(-1)
    if (!entry || !last || last.rule === null || last.fromMs <= fromMs) return []
    const replaced = entry.versions
      .slice(0, -1)
      .filter((_, index, all) => (all[index + 1]?.fromMs ?? last.fromMs) > fromMs)
    this.#entries.set(id, { ...entry, versions: [...entry.versions.slice(0, -1), { ...last, fromMs }] })
    this.generation++
    return replaced
  }

  /** A copy that changes by itself: it becomes the book in force once it is on disk. */
  clone(): RuleBook {
    const copy = new RuleBook()
    copy.restore(this.#revision, [...this.#entries.values()])
    copy.#strays = this.#strays
    copy.generation = this.generation
    return copy
  }

  /** For `clone` and `decodeRuleBook`. */
  restore(revision: number, entries: readonly RuleEntry[]): void {
    this.#revision = revision
    for (const entry of entries) this.#entries.set(ruleIdText(entry), { ...entry, versions: [...entry.versions] })
    this.generation++
  }

  #take(document: StoredDocument, nowMs: number, read: RuleReading | undefined): RuleChange | null {
    const id = ruleIdText(document)
    const entry = this.#entries.get(id)
    const last = entry?.versions.at(-1)
    if (entry && !this.isNews(document)) {
      entry.where = document.where
      if (entry.problems.length === 0) return null
      // The bad document was taken back; the version in force is what it was.
      entry.problems = []
      return { kind: 'mended', id, problems: [], backfillFromMs: null }
    }
    const { kind, name, text, revision, where } = document
    const reading = read ?? readDocument(document)
    if (reading.rule === null) {
      const isNews = JSON.stringify(entry?.problems) !== JSON.stringify(reading.problems)
      this.#entries.set(id, {
        kind,
        name,
        where,
        versions: entry?.versions ?? [],
        problems: reading.problems,
        badRevision: revision,
      })
      return isNews ? { kind: 'rejected', id, problems: reading.problems, backfillFromMs: null } : null
    }
    const { rule } = reading
    const from = rule.kind === 'namespace' ? null : rule.fromMs
    const fromMs = from ?? nowMs
    // Versions that were to begin later than this one never come to hold.
    const versions = (entry?.versions ?? []).filter((version) => version.fromMs < fromMs || version.fromMs <= nowMs)
    versions.push({ revision, text, rule, fromMs, seenMs: nowMs })
    this.#entries.set(id, { kind, name, where, versions: versions.slice(-VERSIONS_MAX), problems: [], badRevision: 0 })
    const backfillFromMs = from !== null && from < nowMs ? from : null
    return { kind: last?.rule ? 'changed' : 'added', id, problems: [], backfillFromMs }
  }

  #remove(id: string, entry: Entry, nowMs: number): RuleChange[] {
    entry.problems = []
    const last = entry.versions.at(-1)
    if (last === undefined) {
      this.#entries.delete(id) // Only bad documents were ever there.
      return []
    }
    if (last.rule === null) return []
    entry.versions = entry.versions.filter((version) => version.fromMs <= nowMs)
    entry.versions.push({ revision: this.#revision, text: '', rule: null, fromMs: nowMs, seenMs: nowMs })
    return [{ kind: 'deleted', id, problems: [], backfillFromMs: null }]
  }
}

/** Reads what a store listed; whether it is good stands in the reading. */
export function readDocument({ kind, name, within, text }: StoredDocument): RuleReading {
  return within ? readRuleAt(kind, name, within.document, within.path) : readRule(kind, name, text)
}

/** The version that holds for a window: the newest that begins before its end. */
export function versionAt(versions: readonly RuleVersion[], windowEndMs: number): RuleVersion | null {
  for (let index = versions.length - 1; index >= 0; index--) {
    const version = versions[index]
    if (version.fromMs >= windowEndMs) continue
    const { rule } = version
    if (rule && rule.kind !== 'namespace' && rule.untilMs !== null && windowEndMs > rule.untilMs) return null
    return version
  }
  return null
}
