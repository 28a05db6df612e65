/**
 * Where rule documents are kept: etcd, or a local file or folder that is watched. The documents are the same.
 *
 * `list` is the truth and `watch` a hint that it may have changed (DESIGN D13): `RuleFollower` puts the two together.
 */
import type { DocumentText } from '../rules/document-text.js'
import type { RuleKind } from '../rules/rule.js'

export interface RuleStore {
  /** For people: `etcd http://127.0.0.1:2379 /varve`, `file /etc/varve/rules.yaml`. */
  readonly description: string
  /** @throws {AggregatorError} `UNAVAILABLE` when the store does not answer; try again. */
  list(): Promise<RuleListing>
  /** Calls `changed` some time after something may have changed, and after each (re)connection. */
  watch(changed: () => void): { close(): Promise<void> }
  /**
   * Writes a document, whether it is good or not: see `readRule`. With `expectedRevision` only if that is its revision (0:
   * only if there is none).
   *
   * @throws {AggregatorError} `CONFLICT` when the revision is another one, `UNAVAILABLE`.
   */
  put(id: RuleId, text: string, options?: { expectedRevision?: number }): Promise<void>
  /** Whether there was one. */
  delete(id: RuleId): Promise<boolean>
  close(): Promise<void>
}

export interface RuleId {
  readonly kind: RuleKind
  readonly name: string
}

export interface RuleListing {
  /** Of the whole store: for people and logs. It may fall, after a backup was restored. */
  readonly revision: number
  readonly documents: readonly StoredDocument[]
  /** False when a part could not be read: rules that are not listed then stay what they were. */
  readonly complete: boolean
  /** What lies there and is no rule document. */
  readonly strays: readonly { readonly where: string; readonly message: string }[]
}

export interface StoredDocument extends RuleId {
  /** Key or file name. */
  readonly where: string
  /** Grows when the document changes: etcd's modification revision, or the file's time of change in milliseconds. */
  readonly revision: number
  /** The document alone, as text: equal texts are equal documents. */
  readonly text: string
  /** The text that the document stands in, and its place there, if it shares a file with others. */
  readonly within?: { readonly document: DocumentText; readonly path: readonly PropertyKey[] }
}

/** `mapping/node-exporter`, as rules are called in logs and commands. */
export function ruleIdText(id: RuleId): string {
  return `${id.kind}/${id.name}`
}
