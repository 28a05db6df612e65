/**
 * Rule documents in etcd: one key a rule, the value is the JSON (or YAML) document, readable with `etcdctl get --prefix`.
 *
 *     <prefix>/rules/mapping/<name>   <prefix>/rules/rollup/<name>   <prefix>/rules/drop/<name>   <prefix>/namespaces/<name>
 */
import { type EtcdClient, EtcdError, type EtcdKeyValue } from '@varve/tsdb-core/env'
import { AggregatorError, messageOf } from '../errors.js'
import { RULE_KINDS, type RuleKind } from '../rules/rule.js'
import type { RuleId, RuleListing, RuleStore, StoredDocument } from './rule-store.js'

const decoder = new TextDecoder('utf-8', { fatal: true })
const encoder = new TextEncoder()

export interface EtcdRuleStoreOptions {
  readonly client: EtcdClient
  /** Default `/varve`. */
  readonly prefix?: string
  /** For `description`: the endpoints. */
  readonly endpoints?: readonly string[]
}

export class EtcdRuleStore implements RuleStore {
  readonly description: string
  readonly #client: EtcdClient
  readonly #prefix: string

  /** The client is the caller's: `close` leaves it open. */
  constructor(options: EtcdRuleStoreOptions) {
    this.#client = options.client
    this.#prefix = (options.prefix ?? '/varve').replace(/\/+$/, '')
    this.description = ['etcd', ...(options.endpoints ?? []), this.#prefix].join(' ')
  }

  async list(): Promise<RuleListing> {
    return reachable(async () => {
      const documents: StoredDocument[] = []
      const strays: { where: string; message: string }[] = []
      const rules = await this.#client.range(`${this.#prefix}/rules/`)
      const namespaces = await this.#client.range(`${this.#prefix}/namespaces/`)
      for (const entry of [...rules.keyValues, ...namespaces.keyValues]) {
        const document = this.#documentOf(entry)
        if (typeof document === 'string') strays.push({ where: entry.key, message: document })
        else documents.push(document)
      }
      return { revision: namespaces.revision, documents, complete: true, strays }
    })
  }

  watch(changed: () => void): { close(): Promise<void> } {
    const watches = ['rules', 'namespaces'].map((folder) =>
      this.#client.watch(`${this.#prefix}/${folder}/`, (event) => {
        if (event.kind !== 'lost') changed()
      }),
    )
    return { close: async () => void (await Promise.all(watches.map((watch) => watch.close()))) }
  }

  async put(id: RuleId, text: string, options?: { expectedRevision?: number }): Promise<void> {
    const key = this.#keyOf(id)
    const value = encoder.encode(text)
    await reachable(async () => {
      if (options?.expectedRevision === undefined) return this.#client.put(key, value)
      const compare = { key, modRevision: options.expectedRevision }
      const { succeeded } = await this.#client.transact([compare], [{ put: key, value }])
      if (!succeeded) {
        throw new AggregatorError('CONFLICT', `${key} is not at revision ${options.expectedRevision}: read it again`)
      }
    })
  }

  async delete(id: RuleId): Promise<boolean> {
    return reachable(async () => (await this.#client.delete(this.#keyOf(id))).deleted)
  }

  async close(): Promise<void> {}

  #keyOf({ kind, name }: RuleId): string {
    return kind === 'namespace' ? `${this.#prefix}/namespaces/${name}` : `${this.#prefix}/rules/${kind}/${name}`
  }

  /** The document, or a sentence that says why it is none. */
  #documentOf(entry: EtcdKeyValue): StoredDocument | string {
    const [folder, ...rest] = entry.key.slice(this.#prefix.length + 1).split('/')
    const kind = folder === 'namespaces' ? 'namespace' : rest.shift()
    const name = rest.join('/')
    if (!RULE_KINDS.includes(kind as RuleKind) || name === '') {
      return `no rule has such a key: wanted ${this.#prefix}/rules/mapping|rollup|drop/NAME or ${this.#prefix}/namespaces/NAME`
    }
    try {
      const text = decoder.decode(entry.value)
      return { kind: kind as RuleKind, name, where: entry.key, revision: entry.modRevision, text }
    } catch (error) {
      return `the value is not UTF-8: ${messageOf(error)}`
    }
  }
}

async function reachable<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    if (cause instanceof EtcdError) throw new AggregatorError('UNAVAILABLE', cause.message, { cause })
    throw cause
  }
}
