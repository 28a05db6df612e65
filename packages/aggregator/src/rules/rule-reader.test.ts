import { describe, expect, it } from 'vitest'
import { problemText } from './document-text.js'
import type { RollupRule } from './rule.js'
import { readRule } from './rule-reader.js'

const problemsOf = (kind: Parameters<typeof readRule>[0], text: string) =>
  readRule(kind, 'r', text).problems.map(problemText)

describe('reading a rule document', () => {
  it('reads the rules of the design page', () => {
    const mapping = '{"match": "{job=\\"node\\"}", "policies": ["1m:90d", "1h:2y"], "aggregations": ["default"]}'
    expect(readRule('mapping', 'node', mapping).rule).toMatchObject({
      kind: 'mapping',
      match: [{ name: 'job', operator: '=', value: 'node' }],
      policies: [
        { namespace: '1m_90d', resolutionMs: 60_000, retentionMs: 90 * 86_400_000 },
        { namespace: '1h_2y', resolutionMs: 3_600_000 },
      ],
      columns: ['last', 'min', 'max', 'sum', 'count', 'increase'],
      type: null,
    })
    const rollup =
      '{"match": "http_requests_total{env=\\"prod\\"}", "name": "http_requests:by_code", "by": ["service", "code"], "aggregate": "sum", "type": "counter", "policies": ["1m:90d"]}'
    expect(readRule('rollup', 'codes', rollup).rule).toMatchObject({
      outputs: [{ nameTemplate: 'http_requests:by_code', aggregation: { operator: 'sum' } }],
      grouping: { labels: ['service', 'code'], without: false },
      type: 'counter',
    })
    expect(readRule('drop', 'gc', '{"match": "{__name__=~\\"go_gc_.*\\"}"}').rule).toMatchObject({
      kind: 'drop',
      force: false,
    })
    expect(readRule('namespace', 'default', '{"retention": "15d"}').rule).toMatchObject({
      retentionMs: 15 * 86_400_000,
    })
  })

  it('reads YAML as well, and times', () => {
    const text = 'match: up\npolicies: [10s:2d]\nfrom: 2026-01-31T00:00:00Z\nuntil: 1800000000\n'
    expect(readRule('mapping', 'm', text).rule).toMatchObject({
      fromMs: Date.UTC(2026, 0, 31),
      untilMs: 1_800_000_000_000,
    })
  })

  it('reads quantiles in all their spellings', () => {
    const text =
      '{"match": "x", "name": "x:{aggregate}", "by": [], "aggregate": ["median", "p99", "p999", "quantile(0.25)", "p5"], "policies": ["1m:1d"]}'
    const { outputs } = readRule('rollup', 'q', text).rule as RollupRule
    expect(outputs.map(({ aggregation }) => aggregation)).toEqual(
      [0.5, 0.99, 0.999, 0.25, 0.05].map((quantile) => ({ operator: 'quantile', quantile })),
    )
    expect(outputs.map(({ nameTemplate }) => nameTemplate)).toEqual([
      'x:median',
      'x:p99',
      'x:p999',
      'x:quantile_0.25',
      'x:p5',
    ])
  })

  it('keeps the buckets of a histogram apart', () => {
    const document = {
      match: 'x_bucket',
      name: 'x',
      by: ['job'],
      aggregate: 'sum',
      type: 'histogram',
      policies: ['1m:1d'],
    }
    expect(readRule('rollup', 'h', JSON.stringify(document)).rule).toMatchObject({
      grouping: { labels: ['job', 'le'] },
    })
    const without = { ...document, by: undefined, without: ['instance', 'le'] }
    expect(readRule('rollup', 'h', JSON.stringify(without)).rule).toMatchObject({ grouping: { labels: ['instance'] } })
  })

  it.each([
    ['text that is not JSON', '{"match": "up", \n "policies": [', /^line 2, column \d+: /],
    [
      'a field that is unknown',
      '{"match": "up",\n  "polices": ["1m:1d"]}',
      /line 2, column 3: polices: there is no field "polices"/,
    ],
    ['a field that is missing', '{"match": "up"}', /^line 1, column 1: policies: /],
    [
      'a selector that does not parse',
      '{"match": "up{",\n "policies": ["1m:1d"]}',
      /^line 1, column 11: match: 1:4: parse error/,
    ],
    ['a pattern that RE2 refuses', '{"match": "{a=~\\"(\\"}", "policies": ["1m:1d"]}', /^line 1, column 11: match: /],
    ['a selector of everything', '{"match": "{}", "policies": ["1m:1d"]}', /^line 1, column 11: match: /],
    [
      'a policy without retention',
      'match: up\npolicies:\n  - 1m\n',
      /^line 3, column 5: policies\[0\]: storage policy "1m" is not of the form/,
    ],
    [
      'a policy twice',
      '{"match": "up", "policies": ["1m:1d", "1m:1d"]}',
      /^line 1, column 39: policies\[1\]: policy 1m:1d comes twice/,
    ],
    [
      'an unknown column',
      '{"match": "up", "policies": ["1m:1d"], "aggregations": ["mean"]}',
      /column 57: aggregations\[0\]: /,
    ],
    [
      'a time that is none',
      '{"match": "up", "policies": ["1m:1d"], "from": "yesterday"}',
      /column 48: from: "yesterday" is not a time/,
    ],
    [
      'an end before its start',
      '{"match": "up", "policies": ["1m:1d"], "from": 20, "until": 10}',
      /column 61: until: `until` is not after/,
    ],
    ['a key twice', '{"match": "up", "match": "down", "policies": ["1m:1d"]}', /^line 1, column 17: /],
    ['an alias', 'match: &a up\npolicies: [1m:1d]\ndescription: *a\n', /alias/i],
  ])('refuses %s and says where', (_what, text, wanted) => {
    expect(problemsOf('mapping', text).join('\n')).toMatch(wanted)
  })

  it.each([
    ['two aggregations on one series', { aggregate: ['sum', 'max'] }, /name: 2 aggregations would write one series/],
    ['an unknown aggregation', { aggregate: 'mean' }, /aggregate: wanted sum, min/],
    ['by and without', { without: ['a'] }, /without: `by` and `without` exclude each other/],
    ['neither by nor without', { by: undefined }, /needs `by`/],
    ['the name among the labels', { by: ['__name__'] }, /by\[0\]: the output's name is given by `name`/],
    ['no input at all', { match: undefined }, /needs `match`, or `input`/],
    ['itself as input', { input: 'r' }, /input: a rule cannot read its own outputs/],
    ['counters and gauges in one', { match: '{job="x"}' }, /match: `match` may select counters and gauges/],
    ['an unknown placeholder', { name: '{job}:sum' }, /name: \{job\} is unknown/],
    ['a fixed label that is grouped by', { labels: { a: 'x' } }, /labels\.a: label a is among/],
  ])('refuses a rollup with %s', (_what, change, wanted) => {
    const document = { match: 'x', name: 'y', by: ['a'], aggregate: 'sum', policies: ['1m:1d'], ...change }
    expect(problemsOf('rollup', JSON.stringify(document)).join('\n')).toMatch(wanted)
  })

  it('refuses rule names that could not be keys or file names', () => {
    for (const name of ['', '../x', 'a/b', '.x'])
      expect(readRule('drop', name, '{"match": "up"}').problems).toHaveLength(1)
  })
})
