import { describe, expect, it } from 'vitest'
import { AggregatorError } from '../errors.js'
import { RuleBook } from '../rules/rule-book.js'
import { decodeRuleBook, encodeRuleBook } from './rule-state-file.js'
import { decodeStateFile, encodeStateFile } from './state-file.js'

const FORMAT = { magic: [0x56, 0x52, 0x56, 0x54], version: 1 }

describe('a damaged state file is refused by name', () => {
  const body = new Map<string, unknown>([
    ['revision', 41],
    ['rules', [new Map([['name', 'a']])]],
  ])
  const book = new RuleBook()
  book.restore(41, [
    { kind: 'drop', name: 'go', where: '/varve/rules/drop/go', versions: [], problems: [], badRevision: 0 },
  ])

  it.each([
    ['state', encodeStateFile(FORMAT, body), (bytes: Uint8Array) => decodeStateFile(FORMAT, bytes, 'here')],
    ['rules', encodeRuleBook(book), (bytes: Uint8Array) => decodeRuleBook(bytes, 'here')],
  ])('%s: every bit flipped, every truncation', (_, whole, decode) => {
    expect(() => decode(whole)).not.toThrow()
    const refusal = (bytes: Uint8Array) => {
      try {
        decode(bytes)
        return 'nothing'
      } catch (error) {
        if (!(error instanceof AggregatorError)) throw error
        return `${error.code} ${error.message}`
      }
    }
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const bytes = whole.slice()
      bytes[bit >>> 3] ^= 1 << (bit & 7)
      expect(refusal(bytes), `bit ${bit}`).toMatch(/^CORRUPT here: /)
    }
    for (let size = 0; size < whole.length; size++) {
      expect(refusal(whole.slice(0, size)), `${size} bytes`).toMatch(/^CORRUPT here: /)
    }
  })
})
