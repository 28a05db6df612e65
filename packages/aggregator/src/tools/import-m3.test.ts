import { describe, expect, it } from 'vitest'
import { importM3Rules, selectorOf } from './import-m3.js'

describe('rules of M3', () => {
  it('become rule documents', () => {
    const { rules, warnings } = importM3Rules(`
downsample:
  rules:
    mappingRules:
      - name: "mysql metrics"
        filter: "app:mysql*"
        aggregations: ["Last"]
        storagePolicies:
          - resolution: 1m
            retention: 48h
      - name: "nginx metrics"
        filter: "app:nginx*"
        drop: true
    rollupRules:
      - name: "http_requests by route"
        filter: "__name__:http_requests app:* status_code:* endpoint:*"
        transforms:
          - transform: {type: "Increase"}
          - rollup:
              metricName: "http_requests_rollup"
              groupBy: ["app", "status_code"]
              aggregations: ["Sum"]
          - transform: {type: "Add"}
        storagePolicies:
          - {resolution: 30s, retention: 720h}
      - name: latencies
        filter: "__name__:latency_*"
        transforms:
          - aggregate: {type: Max}
          - rollup: {metricName: "{{ .MetricName }}_by_app", excludeBy: [pod], aggregations: [P99, Mean]}
          - rollup: {metricName: all, groupBy: [], aggregations: [Max]}
        storagePolicies: [{resolution: 1m, retention: 30d}]
        tags: [{name: tier, value: rolled}]
`)
    expect(rules).toEqual([
      {
        kind: 'mapping',
        name: 'mysql-metrics',
        document: { match: '{app=~"mysql.*"}', policies: ['1m:48h'], aggregations: ['last'] },
      },
      { kind: 'drop', name: 'nginx-metrics', document: { match: '{app=~"nginx.*"}', force: true } },
      {
        kind: 'rollup',
        name: 'http_requests-by-route',
        document: {
          match: '{__name__="http_requests", app!="", status_code!="", endpoint!=""}',
          name: 'http_requests_rollup',
          by: ['app', 'status_code'],
          aggregate: 'sum',
          type: 'counter',
          policies: ['30s:720h'],
        },
      },
      {
        kind: 'rollup',
        name: 'latencies-1',
        document: {
          match: '{__name__=~"latency_.*"}',
          name: '{metric}_by_app:{aggregate}',
          without: ['pod'],
          aggregate: ['p99', 'avg'],
          each: 'max',
          type: 'gauge',
          labels: { tier: 'rolled' },
          policies: ['1m:30d'],
        },
      },
      {
        kind: 'rollup',
        name: 'latencies',
        document: {
          input: 'latencies-1',
          name: 'all',
          by: [],
          aggregate: 'max',
          type: 'gauge',
          labels: { tier: 'rolled' },
          policies: ['1m:30d'],
        },
      },
    ])
    expect(warnings).toEqual(['latencies: P99, Mean wrote one series in M3; here each has its own'])
  })

  it.each([
    ['app:x', '{app="x"}'],
    ['app:*', '{app!=""}'],
    ['app:!x', '{app!="x", app!=""}'],
    ['app:{foo,bar}-?', '{app=~"(foo|bar)-."}'],
    ['a.b:[!a-z]x*', '{"a.b"=~"[^a-z]x.*"}'],
    ['url:http://a.b', '{url="http://a.b"}'],
  ])('filter %s is %s', (filter, selector) => expect(selectorOf(filter, 'r')).toBe(selector))

  it('that cannot be read are refused with the reason', () => {
    expect(() => importM3Rules('a: [')).toThrow(/not YAML/)
    expect(() => importM3Rules('rules: {mappingRules: [{name: x}]}')).toThrow(/filter/)
    expect(() => importM3Rules('rules: {mappingRules: [{filter: nocolon}]}')).toThrow(/nocolon/)
  })
})

describe('what M3 has and Varve has not', () => {
  const importOne = (rule: object, list = 'mappingRules') =>
    importM3Rules(JSON.stringify({ downsample: { rules: { [list]: [rule] } } }))
  const storagePolicies = [{ resolution: '1m', retention: '48h' }]

  it('types as tags become tests on names, or leave the rule out; both are said', () => {
    const rule = (filter: string) => importOne({ name: 'r', filter, aggregations: ['Last'], storagePolicies })
    const counters = rule('__m3_prom_type__:counter app:x')
    expect(counters.rules[0].document).toMatchObject({ match: '{app="x", __name__=~".+_(total|count|sum|bucket)"}' })
    expect(counters.warnings.join()).toContain('no such label as __m3_prom_type__:counter')
    expect(rule('__m3_type__:gauge').rules[0].document).toMatchObject({
      match: '{__name__!~".+_(total|count|sum|bucket)", __name__!=""}',
    })
    const timers = rule('__m3_type__:timer')
    expect(timers.rules).toEqual([])
    expect(timers.warnings.join()).toContain('the rule is left out')
  })

  it('aggregations that are not known are left out, not taken for others', () => {
    const rollup = (aggregations: string[]) =>
      importOne(
        {
          name: 'r',
          filter: 'app:x',
          transforms: [{ rollup: { metricName: 'm', groupBy: ['a'], aggregations } }],
          storagePolicies,
        },
        'rollupRules',
      )
    expect(rollup(['SumSq', 'Max']).rules[0].document).toMatchObject({ aggregate: 'max' })
    expect(rollup(['SumSq'])).toMatchObject({
      rules: [],
      warnings: [expect.stringContaining('SumSq'), expect.any(String)],
    })
    const quantiles = importOne({ name: 'r', filter: 'app:x', aggregations: ['P99'], storagePolicies })
    expect(quantiles.rules).toEqual([])
    expect(quantiles.warnings).toHaveLength(2)
  })

  it('a drop rule drops, whether something replaces the samples or not', () => {
    expect(importOne({ name: 'r', filter: 'app:x', drop: true }).rules).toEqual([
      { kind: 'drop', name: 'r', document: { match: '{app="x"}', force: true } },
    ])
  })
})
