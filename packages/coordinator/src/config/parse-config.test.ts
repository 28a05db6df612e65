import { describe, expect, test } from 'vitest'
import { parseConfig } from './parse-config.js'

describe('a configuration', () => {
  test('an empty file gives the defaults', () => {
    const config = parseConfig('', 'varve.yaml')
    expect(config.server.listen).toEqual({ host: '127.0.0.1', port: 7201 })
    expect(config.storage.retention).toBe(15 * 86_400_000)
    expect(config.self_scrape).toBe(15_000)
    expect(config.server.in_flight_size).toBe(256 << 20)
  })

  test('durations and sizes are read in their units', () => {
    const config = parseConfig('storage: { retention: forever, memory: 1.5GiB }\nself_scrape: off', 'varve.yaml')
    expect(config.storage.retention).toBe(Infinity)
    expect(config.storage.memory).toBe(1.5 * 2 ** 30)
    expect(config.self_scrape).toBe('off')
  })

  test('flags win over the file', () => {
    const overrides = [{ path: ['server', 'listen'], value: '[::1]:9', source: '--listen' }]
    const config = parseConfig('server:\n  listen: 127.0.0.1:1\n', 'varve.yaml', overrides)
    expect(config.server.listen).toEqual({ host: '::1', port: 9 })
  })

  test.each([
    ['server:\n  listen: nowhere', 'varve.yaml:2:3: server.listen: listen address "nowhere"'],
    ['storage:\n  retention: 15 days\n', 'varve.yaml:2:3: storage.retention: expected a duration'],
    ['server:\n  lissten: x\n', 'varve.yaml:2:3: server.lissten: no such setting; did you mean listen?'],
    ['servr: {}', 'varve.yaml:1:1: servr: no such setting; did you mean server?'],
    ['xyzzy: {}', /xyzzy: no such setting$/],
    ['ingest: { limits: { series_per_requests: 1 } }', 'no such setting; did you mean series_per_request?'],
    ['remote_write:\n  - url: http://x\n', 'varve.yaml:2:5: remote_write.0.name: is missing'],
    [
      'remote_write: [{ name: a, url: "http://x", mach: [] }]',
      'remote_write.0.mach: no such setting; did you mean match?',
    ],
    [
      'remote_write:\n  - name: a\n    url: http://x\n    match:\n      - up\n      - "{"\n',
      'varve.yaml:6:9: remote_write.0.match.1: selector "{": 1:2: parse error',
    ],
    ['remote_read:\n  - name: a\n    url: ftp://x\n', 'varve.yaml:3:5: remote_read.0.url: expected a URL'],
    ['a: b: c', 'varve.yaml:1:4: Nested mappings'],
    ['- 1', 'varve.yaml:1:1: expected keys and values'],
    ['rules: a.yaml\netcd: { endpoints: ["http://e:2379"] }', 'varve.yaml: rules come from etcd or from a.yaml'],
  ])('%j is refused with its place', (text, message) => {
    expect(() => parseConfig(text, 'varve.yaml')).toThrow(message)
  })

  test('a mistake in a flag names the flag', () => {
    const overrides = [{ path: ['storage', 'retention'], value: 'soon', source: '--retention' }]
    expect(() => parseConfig('', 'varve.yaml', overrides)).toThrow('--retention: expected a duration')
  })

  test('keys with names of Object.prototype are only names', () => {
    expect(() => parseConfig('__proto__: { polluted: true }', 'varve.yaml')).toThrow()
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    expect(parseConfig('external_labels: { constructor: x }', 'varve.yaml').external_labels).toEqual({
      constructor: 'x',
    })
  })
})
