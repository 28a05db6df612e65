import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SeriesTable } from '../head/series-table.js'
import { encodeCanonicalLabels } from '../model/canonical-labels.js'
import { Labels } from '../model/labels.js'
import type { Matcher } from '../model/matcher.js'
import { compileMatcher, matchesAll } from '../query/label-matcher.js'
import { HeadIndex } from './head-index.js'
import { matchSeries } from './match-series.js'
import { intersect, subtract, union } from './posting-list.js'

describe('posting lists', () => {
  const list = fc.oneof(
    fc.uniqueArray(fc.nat(300), { maxLength: 200 }),
    fc.uniqueArray(fc.nat(4_000_000_000), { maxLength: 20 }),
  )
  const sorted = (numbers: Iterable<number>) => Uint32Array.from(numbers).sort()

  it('combine as sets do', () => {
    fc.assert(
      fc.property(list, list, list, (a, b, c) => {
        const [x, y, z] = [sorted(a), sorted(b), sorted(c)]
        expect([...intersect(x, y)]).toEqual([...sorted(a.filter((n) => b.includes(n)))])
        expect([...subtract(x, y)]).toEqual([...sorted(a.filter((n) => !b.includes(n)))])
        expect([...union([x, y, z])]).toEqual([...sorted(new Set([...a, ...b, ...c]))])
      }),
    )
  })
})

describe('matching series', () => {
  const names = ['__name__', 'job', 'pod']
  const values = ['', 'a', 'b', 'ab', 'abc', 'x-1', 'x-2', 'x-3']
  const labels = fc.tuple(...names.map((name) => fc.constantFrom(...values).map((value) => [name, value] as const)))
  const matcher: fc.Arbitrary<Matcher> = fc.record({
    name: fc.constantFrom(...names, 'other'),
    operator: fc.constantFrom('=' as const, '!=' as const, '=~' as const, '!~' as const),
    value: fc.constantFrom(...values, 'a|b', 'x-.*', '.*', '.+', 'a.?', '(a|x).*', '[ab]+'),
  })

  it('finds those that pass every matcher, and no other', () => {
    fc.assert(
      fc.property(fc.array(labels, { maxLength: 60 }), fc.array(matcher, { maxLength: 4 }), (all, matchers) => {
        const table = new SeriesTable()
        const index = new HeadIndex(table)
        const known = new Map<number, Labels>()
        for (const pairs of all) {
          const one = Labels.from(pairs)
          const bytes = encodeCanonicalLabels(one)
          const before = table.nextRef
          const ref = table.intern(bytes, 0, bytes.length)
          if (ref === before) index.add(ref)
          known.set(ref, one)
        }
        const compiled = matchers.map(compileMatcher)
        const wanted = [...known].filter(([, one]) => matchesAll(compiled, (name) => one.get(name))).map(([ref]) => ref)
        expect([...matchSeries(index, compiled)]).toEqual(wanted.sort((a, b) => a - b))
      }),
      { numRuns: 400 },
    )
  })
})
