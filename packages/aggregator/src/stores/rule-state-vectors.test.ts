/** Golden and reject vectors of the rule state file: vectors/rule-state. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { RuleKind } from '../rules/rule.js'
import { RuleBook } from '../rules/rule-book.js'
import { readRule } from '../rules/rule-reader.js'
import { decodeRuleBook, encodeRuleBook } from './rule-state-file.js'

const VECTORS = new URL('../../../../vectors/rule-state/', import.meta.url)

interface Golden {
  readonly encoded: string
  readonly revision: number
  readonly rules: readonly {
    readonly kind: RuleKind
    readonly name: string
    readonly where: string
    readonly versions: readonly {
      readonly revision: number
      readonly fromMs: number
      readonly seenMs: number
      readonly text: string | null
    }[]
  }[]
}

interface Reject {
  readonly encoded: string
  readonly code: string
  readonly message: string
}

function vectors<T>(folder: URL): [string, T][] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return names.map((name) => [name, JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as T])
}

function bookOf({ revision, rules }: Golden): RuleBook {
  const book = new RuleBook()
  const entries = rules.map(({ versions, ...id }) => ({
    ...id,
    problems: [],
    badRevision: 0,
    versions: versions.map((version) => ({
      ...version,
      text: version.text ?? '',
      rule: version.text === null ? null : readRule(id.kind, id.name, version.text).rule,
    })),
  }))
  book.restore(revision, entries)
  return book
}

describe('rule state files', () => {
  it.each(vectors<Golden>(VECTORS))('%s is written and read', (_name, golden) => {
    const bytes = new Uint8Array(readFileSync(new URL(golden.encoded, VECTORS)))
    const book = bookOf(golden)
    expect(encodeRuleBook(book)).toEqual(bytes)
    const read = decodeRuleBook(bytes, 'f')
    expect(read.revision).toBe(golden.revision)
    expect(read.entries()).toEqual(book.entries())
  })

  it.each(vectors<Reject>(new URL('reject/', VECTORS)))('%s is refused', (_name, { encoded, code, message }) => {
    const bytes = new Uint8Array(readFileSync(new URL(`reject/${encoded}`, VECTORS)))
    expect(() => decodeRuleBook(bytes, 'f')).toThrow(expect.objectContaining({ code, message }))
  })
})
