import { expect, it } from 'vitest'
import { compileMatcher } from '../query/label-matcher.js'
import type { LabelIndex } from './label-index.js'
import { withVerdicts } from './verdicts.js'

/** An index of one label `l` with so many values, of which nothing but the texts is asked. */
function indexOf(texts: string[]): LabelIndex {
  const label = { count: texts.length, text: (i: number) => texts[i] }
  return { label: (name: string) => (name === 'l' ? label : undefined) } as unknown as LabelIndex
}

it('a long label is tried with pauses, and the verdicts are those of the matcher', async () => {
  const texts = Array.from({ length: 20_000 }, (_, i) => `value-${i}`)
  const matchers = [
    compileMatcher({ name: 'l', operator: '=~', value: '.*(7|9)' }),
    compileMatcher({ name: 'l', operator: '!~', value: '.*(7|9)' }),
    compileMatcher({ name: 'l', operator: '=', value: 'value-7' }),
    compileMatcher({ name: 'other', operator: '=~', value: 'x.*' }),
  ]
  let looks = 0
  const known = await withVerdicts(indexOf(texts), matchers, () => {
    looks++
    return looks % 10 === 0 ? Promise.resolve() : undefined
  })
  expect(looks).toBeGreaterThan(100)
  expect(known[2]).toBe(matchers[2])
  expect(known[3]).toBe(matchers[3])
  for (const text of [...texts.slice(0, 50), 'came-later-9', '']) {
    for (const i of [0, 1]) expect(known[i].matches(text)).toBe(matchers[i].matches(text))
  }
  expect(known[0].matcher).toBe(matchers[0].matcher)
})

it('a short one is left to the match', async () => {
  const matchers = [compileMatcher({ name: 'l', operator: '=~', value: 'a.*' })]
  expect(await withVerdicts(indexOf(['a', 'b']), matchers, () => undefined)).toBe(matchers)
})
