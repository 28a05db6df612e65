/**
 * Rule documents in a local file or folder, the embedded default: the same documents as in etcd.
 *
 * A file holds them all, as YAML or JSON:
 *
 *     mapping:   { NAME: {match: …, policies: […]} }
 *     rollup:    { … }
 *     drop:      { … }
 *     namespace: { … }
 *
 * A folder holds such files (`*.yaml`, `*.yml`, `*.json`) and folders `mapping`, `rollup`, `drop` and `namespace` with one
 * document a file. A path that does not exist holds no rules; `put` makes a folder of it unless its name ends as a file's.
 */
import type { FileSystem } from '@varve/tsdb-core/env'
import { isMap, parseDocument } from 'yaml'
import { AggregatorError, messageOf } from '../errors.js'
import { DocumentText, problemText } from '../rules/document-text.js'
import { RULE_KINDS, type RuleKind } from '../rules/rule.js'
import type { RuleId, RuleListing, RuleStore, StoredDocument } from './rule-store.js'
import { ruleIdText } from './rule-store.js'
import { folderOf, readWholeFile, replaceWholeFile } from './whole-file.js'

const decoder = new TextDecoder('utf-8', { fatal: true })
const encoder = new TextEncoder()
const DOCUMENT_FILE = /\.(ya?ml|json)$/

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
interface Found {
  revision: number
  complete: boolean
  readonly documents: Map<string, StoredDocument>
  readonly strays: Mutable<RuleListing['strays'][number]>[]
}

export class FileRuleStore implements RuleStore {
  readonly description: string
  readonly #files: FileSystem
  readonly #path: string
  readonly #watches = new Set<FolderWatch>()

  constructor(options: { readonly files: FileSystem; readonly path: string }) {
    this.#files = options.files
    this.#path = options.path
    this.description = `file ${options.path}`
  }

  async list(): Promise<RuleListing> {
    const found: Found = { revision: 0, complete: true, documents: new Map(), strays: [] }
    const folders: string[] = []
    try {
      const stat = await this.#files.stat(this.#path)
      if (stat?.isDirectory) {
        folders.push(this.#path)
        for (const name of await this.#files.list(this.#path)) {
          const path = `${this.#path}/${name}`
          if (RULE_KINDS.includes(name as RuleKind)) {
            folders.push(path)
            await this.#readFolder(found, name as RuleKind, path)
          } else if (DOCUMENT_FILE.test(name)) await this.#readCollection(found, path)
        }
      } else if (stat) await this.#readCollection(found, this.#path)
    } catch (cause) {
      throw new AggregatorError('UNAVAILABLE', `cannot read the rules in ${this.#path}: ${messageOf(cause)}`, { cause })
    }
    for (const watch of this.#watches) watch.watchFolders(folders)
    return { ...found, documents: [...found.documents.values()] }
  }

  watch(changed: () => void): { close(): Promise<void> } {
    const watch = new FolderWatch(this.#files, this.#path, changed)
    this.#watches.add(watch)
    return {
      close: async () => {
        this.#watches.delete(watch)
        watch.close()
      },
    }
  }

  async put(id: RuleId, text: string, options?: { expectedRevision?: number }): Promise<void> {
    const existing = await this.#find(id)
    const expected = options?.expectedRevision
    if (expected !== undefined && expected !== (existing?.revision ?? 0)) {
      throw new AggregatorError('CONFLICT', `${ruleIdText(id)} is not at revision ${expected}: read it again`)
    }
    if (existing?.within || (!existing && (await this.#isCollection()))) {
      await this.#change(existing?.where ?? this.#path, (document) => {
        const value = parseDocument(text)
        if (value.errors.length > 0)
          throw new AggregatorError('INVALID_RULE', `${ruleIdText(id)}: ${value.errors[0].message}`)
        document.setIn([id.kind, id.name], value.contents)
      })
      return
    }
    const path = existing?.where ?? `${this.#path}/${id.kind}/${id.name}.json`
    await this.#files.makeDirectory(folderOf(path))
    await replaceWholeFile(this.#files, path, encoder.encode(text))
  }

  async delete(id: RuleId): Promise<boolean> {
    const existing = await this.#find(id)
    if (!existing) return false
    if (existing.within) await this.#change(existing.where, (document) => document.deleteIn([id.kind, id.name]))
    else {
      await this.#files.remove(existing.where)
      await this.#files.syncDirectory(folderOf(existing.where))
    }
    return true
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.close()
    this.#watches.clear()
  }

  async #find(id: RuleId): Promise<StoredDocument | undefined> {
    const { documents } = await this.list()
    return documents.find((document) => document.kind === id.kind && document.name === id.name)
  }

  async #isCollection(): Promise<boolean> {
    const stat = await this.#files.stat(this.#path)
    return stat ? !stat.isDirectory : DOCUMENT_FILE.test(this.#path)
  }

  /** Changes a file that holds several documents, and leaves its comments and order as they are. */
  async #change(path: string, change: (document: ReturnType<typeof parseDocument>) => void): Promise<void> {
    const bytes = await readWholeFile(this.#files, path)
    const document = parseDocument(bytes === null ? '{}' : decoder.decode(bytes))
    if (document.errors.length > 0) {
      throw new AggregatorError(
        'INVALID_RULE',
        `${path} cannot be changed, mend it first: ${document.errors[0].message}`,
      )
    }
    if (!isMap(document.contents)) document.contents = document.createNode({}) as unknown as typeof document.contents
    change(document)
    const text = path.endsWith('.json') ? `${JSON.stringify(document.toJS(), null, 2)}\n` : document.toString()
    await this.#files.makeDirectory(folderOf(path))
    await replaceWholeFile(this.#files, path, encoder.encode(text))
  }

  async #readFolder(found: Found, kind: RuleKind, folder: string): Promise<void> {
    for (const fileName of await this.#files.list(folder)) {
      if (!DOCUMENT_FILE.test(fileName)) continue
      const path = `${folder}/${fileName}`
      const read = await this.#readText(found, path)
      if (read) this.#add(found, { kind, name: fileName.replace(DOCUMENT_FILE, ''), where: path, ...read })
    }
  }

  async #readCollection(found: Found, path: string): Promise<void> {
    const read = await this.#readText(found, path)
    if (!read || read.text.trim() === '') return
    const document = new DocumentText(read.text)
    const value = document.problems.length === 0 ? document.value() : undefined
    if (document.problems.length > 0) {
      for (const problem of document.problems) found.strays.push({ where: path, message: problemText(problem) })
      // A file that does not parse says nothing about its rules: they stay what they were.
      found.complete = false
      return
    }
    for (const kind of document.keysAt([])) {
      if (!RULE_KINDS.includes(kind as RuleKind)) {
        const { line, column } = document.positionOfKey([kind])
        const message = `line ${line}, column ${column}: there is no kind ${JSON.stringify(kind)}: wanted ${RULE_KINDS.join(', ')}`
        found.strays.push({ where: path, message })
        continue
      }
      for (const name of document.keysAt([kind])) {
        const rules = (value as Record<string, Record<string, unknown>>)[kind]
        const text = `${JSON.stringify(rules[name], null, 2)}\n`
        const within = { document, path: [kind, name] }
        this.#add(found, { kind: kind as RuleKind, name, where: path, revision: read.revision, text, within })
      }
    }
  }

  async #readText(found: Found, path: string): Promise<{ text: string; revision: number } | null> {
    const stat = await this.#files.stat(path)
    const bytes = await readWholeFile(this.#files, path)
    if (!stat || bytes === null) return null // Removed meanwhile.
    const revision = Math.floor(stat.modifiedMs)
    found.revision = Math.max(found.revision, revision)
    try {
      return { text: decoder.decode(bytes), revision }
    } catch (error) {
      found.strays.push({ where: path, message: `not UTF-8: ${messageOf(error)}` })
      found.complete = false
      return null
    }
  }

  #add(found: Found, document: StoredDocument): void {
    const other = found.documents.get(ruleIdText(document))
    if (other) {
      found.strays.push({ where: document.where, message: `${ruleIdText(document)} stands in ${other.where} already` })
    } else found.documents.set(ruleIdText(document), document)
  }
}

/** Watches the path itself, and the folders that were found in it. */
class FolderWatch {
  readonly #files: FileSystem
  readonly #changed: () => void
  readonly #open = new Map<string, { close(): void }>()
  readonly #path: string

  constructor(files: FileSystem, path: string, changed: () => void) {
    this.#files = files
    this.#changed = changed
    this.#path = path
    // An editor replaces a file by another: the folder that holds it sees that, the old file does not.
    this.watchFolders([])
  }

  watchFolders(folders: readonly string[]): void {
    const wanted = new Set([folderOf(this.#path), ...folders])
    for (const [path, watch] of this.#open) {
      if (wanted.has(path)) continue
      watch.close()
      this.#open.delete(path)
    }
    for (const path of wanted) {
      if (this.#open.has(path)) continue
      try {
        this.#open.set(path, this.#files.watch(path, this.#changed))
      } catch {
        // It is not there (any more): the regular listing finds what comes.
      }
    }
  }

  close(): void {
    for (const watch of this.#open.values()) watch.close()
    this.#open.clear()
  }
}
