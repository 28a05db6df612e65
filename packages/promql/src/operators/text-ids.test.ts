import { expect, test } from 'vitest'
import { LabelTable } from './label-table.js'
import { TextIds } from './text-ids.js'

test('each text keeps its number, however many there are', () => {
  const ids = new TextIds()
  const texts = Array.from({ length: 100_000 }, (_, i) => (i % 2 === 0 ? `value-${i}-of-many` : `${i}`))
  for (const [i, text] of texts.entries()) {
    expect(ids.get(text)).toBeUndefined()
    ids.set(text, i)
  }
  expect(texts.every((text, i) => ids.get(text) === i)).toBe(true)
  expect(ids.get('')).toBeUndefined()
  expect(ids.get('value-100000-of-many')).toBeUndefined()
})

test('a table of many sets finds each again', () => {
  const table = new LabelTable()
  const sets = Array.from({ length: 3_000 }, (_, i) => [table.textId(`n${i % 7}`), table.textId(`v${i}`)])
  const ids = sets.map((pairs) => table.intern(pairs, 0, 1))
  expect(new Set(ids).size).toBe(3_000)
  expect(sets.map((pairs) => table.intern(pairs, 0, 1))).toEqual(ids)
})
