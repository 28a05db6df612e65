import { describe, expect, it } from 'vitest'
import { decodeRuleBook, encodeRuleBook } from '../stores/rule-state-file.js'
import type { RuleListing, StoredDocument } from '../stores/rule-store.js'
import type { MappingRule } from './rule.js'
import { RuleBook } from './rule-book.js'

const mapping = (match: string, more: object = {}) => JSON.stringify({ match, policies: ['1m:1d'], ...more })
const document = (name: string, text: string, revision: number): StoredDocument => ({
  kind: 'mapping',
  name,
  text,
  revision,
  where: `/varve/rules/mapping/${name}`,
})
const listing = (...documents: StoredDocument[]): RuleListing => ({
  revision: Math.max(0, ...documents.map(({ revision }) => revision)),
  documents,
  complete: true,
  strays: [],
})
const matchesAt = (book: RuleBook, windowEndMs: number) =>
  book.rulesAt(windowEndMs).map((rule) => (rule as MappingRule).matchText)

describe('the rule book', () => {
  it('keeps each version with the windows for which it holds', () => {
    const book = new RuleBook()
    expect(book.update(listing(document('a', mapping('one'), 1)), 1000)).toMatchObject([
      { kind: 'added', id: 'mapping/a' },
    ])
    expect(book.update(listing(document('a', mapping('two'), 2)), 2000)).toMatchObject([{ kind: 'changed' }])
    expect(book.update(listing(), 3000)).toMatchObject([{ kind: 'deleted' }])
    expect([1000, 1001, 2000, 2001, 3000, 3001].map((end) => matchesAt(book, end))).toEqual([
      [],
      ['one'],
      ['one'],
      ['two'],
      ['two'],
      [],
    ])
    expect(book.boundariesMs()).toEqual([1000, 2000, 3000])
  })

  it('leaves the last good version in force when a bad one comes, and reports it once', () => {
    const book = new RuleBook()
    book.update(listing(document('a', mapping('one'), 1)), 1000)
    const bad = listing(document('a', '{"match": "x{"', 2))
    expect(book.update(bad, 2000)).toMatchObject([{ kind: 'rejected', problems: [{ line: 1 }] }])
    expect(book.update(bad, 2500)).toEqual([])
    expect(matchesAt(book, 5000)).toEqual(['one'])
    expect(book.entry('mapping/a')?.problems).not.toEqual([])
    expect(book.update(listing(document('a', mapping('one'), 3)), 3000)).toMatchObject([{ kind: 'mended' }])
    expect(book.entry('mapping/a')?.versions).toHaveLength(1)
  })

  it('follows the store even when its revision falls, as after a restored backup', () => {
    const book = new RuleBook()
    book.update(listing(document('a', mapping('one'), 100)), 1000)
    book.update(listing(document('a', mapping('old'), 7)), 2000)
    expect(matchesAt(book, 3000)).toEqual(['old'])
  })

  it('takes nothing for deleted when the store could not be read as a whole', () => {
    const book = new RuleBook()
    book.update(listing(document('a', mapping('one'), 1)), 1000)
    expect(book.update({ ...listing(), complete: false }, 2000)).toEqual([])
    expect(matchesAt(book, 3000)).toEqual(['one'])
  })

  it('honours from and until, and asks for a backfill when from is past', () => {
    const book = new RuleBook()
    const text = mapping('one', { from: 10, until: 20 })
    expect(book.update(listing(document('a', text, 1)), 15_000)).toMatchObject([{ backfillFromMs: 10_000 }])
    expect([10_000, 10_001, 20_000, 20_001].map((end) => matchesAt(book, end).length)).toEqual([0, 1, 1, 0])
  })

  it('forgets a version that was to begin later and was replaced before', () => {
    const book = new RuleBook()
    book.update(listing(document('a', mapping('one'), 1)), 1000)
    book.update(listing(document('a', mapping('later', { from: 100 }), 2)), 2000)
    book.update(listing(document('a', mapping('now'), 3)), 3000)
    expect(matchesAt(book, 200_000)).toEqual(['now'])
  })

  it('comes back from its file as it was, and refuses damage', () => {
    const book = new RuleBook()
    book.update(listing(document('a', mapping('one'), 1), document('b', mapping('{job="b"}'), 2)), 1000)
    book.update(listing(document('b', mapping('{job="c"}'), 3)), 2000)
    const bytes = encodeRuleBook(book)
    const back = decodeRuleBook(bytes, 'rules')
    expect(back.entries()).toEqual(book.entries())
    expect(back.revision).toBe(3)
    for (const at of [0, 4, 20, bytes.length - 1]) {
      const damaged = bytes.slice()
      damaged[at] ^= 1
      expect(() => decodeRuleBook(damaged, 'rules')).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
    }
    expect(() => decodeRuleBook(bytes.subarray(0, 6), 'rules')).toThrow(/rules: 6 bytes/)
  })
})
