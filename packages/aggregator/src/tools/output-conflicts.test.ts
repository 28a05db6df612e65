import { describe, expect, it } from 'vitest'
import type { Rule } from '../rules/rule.js'
import { readRule } from '../rules/rule-reader.js'
import { findOutputConflicts } from './output-conflicts.js'

const base = { match: 'requests', name: 'out', by: ['job'], aggregate: 'sum', policies: ['1m:90d'] }
const read = (name: string, changes: object): Rule => {
  const { rule, problems } = readRule('rollup', name, JSON.stringify({ ...base, ...changes }))
  expect(problems).toEqual([])
  return rule as Rule
}
const conflicts = (one: object, other: object) => findOutputConflicts([read('a', one), read('b', other)])

describe('two rules that write one series', () => {
  it.each([
    ['that are the same', {}, {}],
    ['of different metrics', {}, { match: 'answers' }],
    ['of which one selects a part of the other', {}, { match: 'requests{job="x"}' }],
    ['with one of two policies in common', { policies: ['1m:90d', '1h:1y'] }, {}],
    ['whose name is made of the metric', { name: '{metric}:sum' }, { name: 'requests:sum' }],
    ['whose different matchers are on labels that are not kept', {}, { match: 'requests{zone=~"a.*"}' }],
  ])('are found: %s', (_what, one, other) => {
    expect(conflicts(one, other)).toMatchObject([{ rules: ['a', 'b'], namespace: '1m_90d' }])
  })

  it.each([
    ['another name', {}, { name: 'out2' }],
    ['another namespace', {}, { policies: ['5m:90d'] }],
    ['another value of a kept label', { match: 'requests{job="x"}' }, { match: 'requests{job="y"}' }],
    ['another constant label', { labels: { site: 'a' } }, { labels: { site: 'b' } }],
    ['a constant label that the other has not', { labels: { site: 'a' } }, {}],
    ['another grouping', {}, { by: ['instance'] }],
    ['regular expressions that may not meet', { match: 'requests{job=~"a.*"}' }, { match: 'requests{job=~"b.*"}' }],
    ['a name that the data makes', { match: '{job="x"}', name: '{metric}:sum' }, { name: 'requests:sum' }],
  ])('are not suspected: %s', (_what, one, other) => {
    expect(conflicts(one, other)).toEqual([])
  })
})
