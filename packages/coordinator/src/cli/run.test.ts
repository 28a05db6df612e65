/** The command line against a running coordinator. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Database } from '@varve/tsdb-core'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { makeCertificate } from '@varve/tsdb-core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeProgram } from '../env/node/program.js'
import { SILENT } from '../logging/logger.js'
import { startCoordinator, type TestCoordinator, writeSeries } from '../testing/start-coordinator.js'
import { VERSION } from '../version.js'
import { plotText } from './plot.js'
import type { Program } from './program.js'
import { runProgram } from './run.js'

let server: TestCoordinator
const base = nodeProgram(nodeEnv())
const packageJson = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}
const START_MS = 1_700_000_000_000

beforeAll(async () => {
  server = await startCoordinator({
    yaml: 'self_scrape: off',
    prepare: async (directory) => {
      const database = await Database.open({ directory, env: nodeEnv() })
      await database.createNamespace('second', { retentionMs: Infinity })
      await database.createNamespace('1m_1d', { retentionMs: 86_400_000, resolutionMs: 60_000, columns: ['last'] })
      await database.close()
    },
  })
  await writeSeries(server.url, [
    {
      labels: { __name__: 'a', b: 'c' },
      samples: [
        [START_MS, 1],
        [START_MS + 1000, NaN],
        [START_MS + 2000, Infinity],
      ],
    },
  ])
})
afterAll(() => server.stop())

async function varve(arguments_: readonly string[], input = '', variables: Record<string, string> = {}) {
  let out = ''
  let err = ''
  const program: Program = {
    ...base,
    stdout: { write: (text) => (out += text), drained: async () => {}, isTerminal: false, columns: 80 },
    stderr: { write: (text) => (err += text), drained: async () => {}, isTerminal: false, columns: 80 },
    variable: (name) => (name === 'VARVE_URL' ? server.url : variables[name]),
    async *readStandardInput() {
      yield new TextEncoder().encode(input)
    },
  }
  const code = await runProgram(arguments_, program)
  return { code, out, err }
}

describe('varve', () => {
  test('without a command it says what there is', async () => {
    const { code, out } = await varve([])
    expect(code).toBe(0)
    for (const name of ['coordinator', 'rules', 'query', 'import', 'export', 'version'])
      expect(out).toContain(`  ${name}`)
  })

  test('the version is that of the package', async () => {
    expect((await varve(['version'])).out).toContain(`varve ${packageJson.version} `)
    expect(VERSION).toBe(packageJson.version)
  })

  test.each([
    [['nope'], 'there is no command "nope"'],
    [
      ['query', 'up', '--url', '127.0.0.1:7201'],
      '--url "127.0.0.1:7201": expected a URL such as http://127.0.0.1:7201',
    ],
    [['coordinatr'], 'there is no command "coordinatr"; did you mean coordinator?'],
    [['coordinator', '--lisen', 'x'], "Unknown option '--lisen'; did you mean --listen?"],
    [['coordinator', '--data', 'x'], "Unknown option '--data'; did you mean --data-dir?"],
    [['query'], 'the expression is missing'],
    [['query', 'up', '--nope'], "Unknown option '--nope'"],
    [['rules', 'nope', '--rules', 'x'], 'there is no "varve rules nope"'],
    [['rules', 'get', 'x', '--rules', 'x'], 'expected KIND/NAME'],
    [['coordinator', 'extra'], '"extra" is not expected here'],
    [['export', 'extra'], '"extra" is not expected here'],
    [['query', 'up', 'extra'], '"extra" is not expected here'],
    [['verify', 'x', 'extra'], '"extra" is not expected here'],
    [['inspect', 'x', 'extra'], '"extra" is not expected here'],
    [['restore', 'x', 'extra'], '"extra" is not expected here'],
    [['restore', 'x'], '--data-dir is missing'],
    [['snapshot', 'extra'], '"extra" is not expected here'],
    [['bench', 'extra'], '"extra" is not expected here'],
    [['version', 'extra'], '"extra" is not expected here'],
    [['import', 'json', 'x', 'extra'], '"extra" is not expected here'],
    [['query', 'up', '--since', 'x'], 'expected a duration'],
  ])('%j is a wrong call', async (arguments_, message) => {
    const { code, err } = await varve(arguments_)
    expect(code).toBe(2)
    expect(err).toContain(message)
  })

  test('every command has help', async () => {
    for (const name of ['coordinator', 'rules', 'query', 'import', 'export', 'version']) {
      const { code, out } = await varve([name, '--help'])
      expect(code).toBe(0)
      expect(out).toMatch(new RegExp(`^varve ${name}: .+\n\nUsage:\n  varve ${name}`))
    }
  })
})

describe('query', () => {
  test('prints a table', async () => {
    const { code, out } = await varve(['query', 'a', '--time', '1700000000'])
    expect([code, out]).toEqual([0, 'SERIES    VALUE\na{b="c"}  1\n'])
  })

  test('prints a plot of a range', async () => {
    const { out } = await varve(['query', 'a', '--start', '1700000000', '--end', '1700000001', '--step', '1s'])
    expect(out).toContain('│')
    expect(out).toContain('a{b="c"}  NaN')
  })

  test("shows the server's own words about a mistake", async () => {
    const { code, err } = await varve(['query', 'sum('])
    expect([code, err]).toEqual([
      1,
      'varve query: invalid parameter "query": 1:5: parse error: unclosed left parenthesis\n',
    ])
  })

  test('a plot has its highest and lowest value at the axis', () => {
    const text = plotText(
      [
        {
          name: 'x',
          samples: [
            [0, 5],
            [60, 25],
          ],
        },
      ],
      60,
    )
    expect(text.split('\n')[0]).toMatch(/^25 │.*⠈$/)
    expect(text).toMatch(/^ 5 │⡀/m)
  })
})

describe('export', () => {
  test('writes lines with every kind of number', async () => {
    const { code, out } = await varve(['export', '--match', 'a'])
    expect(code).toBe(0)
    expect(out).toBe(
      '{"metric":{"__name__":"a","b":"c"},"values":[1,"NaN:0x7ff8000000000000","+Inf"],"timestamps":[1700000000000,1700000001000,1700000002000]}\n',
    )
  })
})

describe('import', () => {
  const line = '{"metric":{"__name__":"elsewhere"},"values":[1],"timestamps":[1700000000000]}\n'

  test('into a namespace that is there', async () => {
    const { code } = await varve(['import', 'json', '-', '--namespace', 'second'], line)
    expect(code).toBe(0)
    expect((await varve(['export', '--match', 'elsewhere', '--namespace', 'second'])).out).toBe(line)
    expect((await varve(['export', '--match', 'elsewhere', '--namespace', 'default'])).out).toBe('')
  })

  test.each([
    ['nope', 'no namespace "nope"; there are 1m_1d, default, second'],
    ['1m_1d', 'namespace 1m_1d holds what rules roll up to 1m: raw samples cannot go there'],
  ])('into namespace %s is refused', async (name, message) => {
    const { code, err } = await varve(['import', 'json', '-', '--namespace', name], line)
    expect(code).toBe(1)
    expect(err).toContain(`answered 400: ${message}`)
  })

  test("of Prometheus' blocks keeps a namespace's retention, or sets the one that is given", async () => {
    const root = mkdtempSync(join(tmpdir(), 'varve-import-'))
    try {
      mkdirSync(join(root, 'prometheus'))
      const importInto = (...flags: string[]) =>
        varve(['import', 'prometheus', join(root, 'prometheus'), '--data-dir', join(root, 'data'), ...flags])
      const retentionOf = async (name: string) => {
        const database = await Database.open({ directory: join(root, 'data'), env: nodeEnv() })
        const { retentionMs } = database.namespace(name).options
        if (!database.hasNamespace('1m_1d')) await database.createNamespace('1m_1d', { resolutionMs: 60_000 })
        await database.close()
        return retentionMs
      }
      await importInto()
      expect(await retentionOf('default')).toBe(Infinity)
      expect((await importInto('--retention', '30d')).code).toBe(0)
      expect(await retentionOf('default')).toBe(30 * 86_400_000)
      await importInto()
      expect(await retentionOf('default')).toBe(30 * 86_400_000)
      const wrong = await importInto('--retention', 'long')
      expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('--retention long: wanted a duration')])
      const windows = await importInto('--namespace', '1m_1d')
      expect([windows.code, windows.err]).toEqual([2, expect.stringContaining('1m_1d holds windows of 60 s')])
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })

  test('flags of the other kind are refused', async () => {
    const { code, err } = await varve(['import', 'json', '-', '--data-dir', 'x'], line)
    expect([code, err]).toEqual([2, expect.stringContaining('--data-dir goes with "import prometheus" only')])
  })
})

const M3_RULES = `downsample:
  rules:
    mappingRules:
      - name: nginx
        filter: "app:nginx*"
        aggregations: ["Last"]
        storagePolicies: [{ resolution: 1m, retention: 48h }]
`

describe('rules', () => {
  test('put, list, get, explain, validate and delete in a folder', async () => {
    const store = ['--rules', `${server.directory}/rules`]
    const bad = await varve(['rules', 'put', 'mapping/all', '-', ...store], '{"match": "{"}')
    expect(bad.code).toBe(1)
    const m3 = `${server.directory}/m3.yaml`
    writeFileSync(m3, M3_RULES)
    const shown = await varve(['rules', 'import-m3', m3])
    expect(shown.out).toMatch(/^mapping:\n {2}/)
    const moved = await varve(['rules', 'import-m3', m3, '--rules', `${server.directory}/m3-rules`])
    expect(moved.out).toContain('1 rules are in file')
    expect(bad.err).toMatch(/mapping\/all: line 1, column \d+: /)
    const document = '{"match": "{job=\\"api\\"}", "policies": ["1m:90d"]}'
    expect((await varve(['rules', 'put', 'mapping/all', '-', ...store], document)).code).toBe(0)
    expect((await varve(['rules', 'list', ...store])).out).toMatch(/mapping +all +good/)
    expect((await varve(['rules', 'get', 'mapping/all', ...store])).out.trim()).toBe(document)
    const dry = await varve(['rules', 'dry-run', 'mapping/all', '-', '--since', '1h'], document)
    expect([dry.code, dry.out.split('\n')[0]]).toEqual([0, '0 series match, 0 samples were read'])
    expect(dry.out).toContain('1m:90d')
    const refused = await varve(['rules', 'backfill', 'mapping/all', '--from', '1700000000'])
    expect([refused.code, refused.err]).toEqual([1, 'varve rules: admin APIs disabled; start with --enable-admin\n'])
    const explained = await varve(['rules', 'explain', 'up{job="api"}', ...store])
    expect(explained.out).toContain('meets 1 of 1 rules')
    expect(explained.out).toContain('1m_90d: up{job="api"} = ')
    expect((await varve(['rules', 'explain', 'up{job="x"}', ...store])).out).toContain('meets 0 of 1 rules')
    expect((await varve(['rules', 'validate', ...store])).out).toBe('1 rule, 0 problems\n')
    expect((await varve(['rules', 'delete', 'mapping/all', ...store])).code).toBe(0)
    expect((await varve(['rules', 'delete', 'mapping/all', ...store])).code).toBe(1)
  })
})

test('rules validate finds two rules that write one series', async () => {
  const file = `${server.directory}/twice.yaml`
  const rule = '{ match: a, name: out, by: [b], aggregate: sum, policies: [1m:1d] }'
  writeFileSync(file, `rollup:\n  one: ${rule}\n  two: ${rule}\n`)
  const { code, out } = await varve(['rules', 'validate', file])
  expect([code, out]).toEqual([
    1,
    'rollup/one and rollup/two write the same series out in 1m_1d: name one of them differently\n2 rules, 1 problem\n',
  ])
})

describe('rules that cannot be reached', () => {
  test.each([
    [['validate', 'nope.yaml']],
    [['validate', '--rules', 'nope.yaml']],
    [['list', '--rules', 'nope.yaml']],
    [['explain', 'up', '--rules', 'nope.yaml']],
  ])('%j names the missing file', async (call) => {
    const { code, err } = await varve(['rules', ...call])
    expect([code, err]).toEqual([1, expect.stringMatching(/there is no file or folder .*nope\.yaml\n$/)])
  })

  test('are those of the server that was started here without flags, or of its settings', async () => {
    const here = mkdtempSync(join(tmpdir(), 'varve-here-'))
    const variables = { VARVE_DATA_DIR: `${here}/data` }
    const list = (...flags: string[]) => varve(['rules', 'list', ...flags], '', variables)
    try {
      mkdirSync(`${here}/data/rules/mapping`, { recursive: true })
      writeFileSync(`${here}/data/rules/mapping/here.json`, '{"match": "up", "policies": ["1m:1d"]}')
      expect((await list()).out).toMatch(/mapping +here +good/)
      mkdirSync(`${here}/other`)
      expect((await varve(['rules', 'list'], '', { VARVE_DATA_DIR: `${here}/other` })).code).toBe(0)
      writeFileSync(`${here}/rules.yaml`, 'mapping:\n  there: { match: up, policies: [1m:1d] }\n')
      writeFileSync(`${here}/varve.yaml`, `rules: ${here}/rules.yaml\n`)
      expect((await list('--config', `${here}/varve.yaml`)).out).toMatch(/mapping +there +good/)
      writeFileSync(`${here}/etcd.yaml`, `etcd: { endpoints: ['http://127.0.0.1:1'], ca_file: ${here}/none.pem }\n`)
      const { code, err } = await list('--config', `${here}/etcd.yaml`)
      expect([code, err]).toEqual([1, expect.stringContaining('none.pem')])
      expect((await list('--config', `${here}/nothing.yaml`)).err).toContain(`cannot read ${here}/nothing.yaml`)
    } finally {
      rmSync(here, { recursive: true })
    }
  })

  test('without flags the error says what was tried and what to give', async () => {
    const { code, err } = await varve(['rules', 'list'], '', { VARVE_ETCD: 'http://127.0.0.1:1' })
    expect(code).toBe(1)
    expect(err).toContain('without flags the rules in etcd at http://127.0.0.1:1 are meant')
    expect(err).toContain('--etcd URL, --rules DATA-DIR/rules, or the --config of the server')
  })
})

describe('coordinator', () => {
  test('--check-config reads the file and ends', async () => {
    const { writeFile } = await import('node:fs/promises')
    const path = `${server.directory}/varve.yaml`
    await writeFile(path, 'server:\n  listen: 127.0.0.1:1\nstorage:\n  retention: 5 days\n')
    const bad = await varve(['coordinator', '--config', path, '--check-config'])
    expect([bad.code, bad.err]).toEqual([
      1,
      `varve coordinator: ${path}:4:3: storage.retention: expected a duration such as 15s, 5m, 15d or forever, got "5 days"\n`,
    ])
    const good = await varve(['coordinator', '--config', path, '--retention', '5d', '--check-config'])
    expect([good.code, good.out]).toEqual([0, 'the configuration is good\n'])
  })

  test('--check-config takes the example of its page', async () => {
    const page = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8')
    const path = `${server.directory}/example.yaml`
    const example = /```yaml\n(.*?)```/s.exec(page)?.[1] ?? ''
    const password = `${server.directory}/password`
    writeFileSync(path, example.replace('/etc/varve/prometheus-password', password))
    const check = () => varve(['coordinator', '--config', path, '--check-config'])
    expect(await check()).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^varve coordinator: remote_read prometheus-a: ENOENT.*password/),
    })
    writeFileSync(password, 'secret')
    expect(await check()).toMatchObject({ code: 0, err: '' })
  })

  test('--check-config tries relabelling, selectors and the files of targets', async () => {
    const path = `${server.directory}/targets.yaml`
    for (const [yaml, said] of [
      ['ingest: { relabel: [{ action: drop, regex: "(" }] }', 'relabel'],
      ['remote_write: [{ name: a, url: "http://x", match: ["up{"] }]', 'remote_write.0.match.0: selector "up{"'],
      ['remote_write: [{ name: a, url: "http://x", bearer_token_file: absent }]', 'remote_write a: ENOENT'],
      ['remote_read: [{ name: a, url: "http://x", ca_file: absent }]', 'remote_read a: ENOENT'],
      ['etcd: { endpoints: ["http://x"], password_file: absent }', 'etcd: ENOENT'],
    ]) {
      writeFileSync(path, yaml)
      const { code, err } = await varve(['coordinator', '--config', path, '--check-config'])
      expect([code, err], yaml).toEqual([1, expect.stringContaining(said)])
    }
  })

  test('--check-config reads web_config, and the files that it names', async () => {
    const web = `${server.directory}/web.yml`
    const check = () => varve(['coordinator', '--web-config', web, '--check-config'])
    expect(await check()).toMatchObject({ code: 1, err: expect.stringContaining(web) })
    writeFileSync(web, 'basic_auth_user: {}\n')
    expect(await check()).toMatchObject({ code: 1, err: expect.stringContaining('basic_auth_user') })
    writeFileSync(web, 'tls_server_config: { cert_file: absent.pem, key_file: absent-key.pem }\n')
    expect(await check()).toMatchObject({ code: 1, err: expect.stringContaining('absent') })
  })

  test('a place of rules that is named and not there is in the log; the default one may be missing', async () => {
    for (const [yaml, count] of [
      ['rules: elsewhere', 1],
      ['', 0],
    ] as const) {
      const lines: string[] = []
      const logger = { ...SILENT, warn: (_fields: object, message: string) => lines.push(message) }
      const other = await startCoordinator({ yaml: `self_scrape: off\n${yaml}`, logger })
      await other.stop()
      expect(lines.filter((line) => line.includes('no file or folder of rules'))).toHaveLength(count)
    }
  })

  test('who has to say who asks is told how', async () => {
    const web = `${server.directory}/tokens.yml`
    const sha256 = createHash('sha256').update('open-sesame').digest('hex')
    writeFileSync(web, `bearer_tokens: [{ name: a, sha256: ${sha256} }]\n`)
    const guarded = await startCoordinator({ yaml: `self_scrape: off\nserver: { web_config: ${web} }` })
    try {
      const { code, err } = await varve(['query', 'up', '--url', guarded.url])
      expect([code, err]).toEqual([
        1,
        expect.stringMatching(/answered 401: .*; --header 'Authorization: Bearer TOKEN' or --bearer-token-file /),
      ])
      const token = `${server.directory}/token`
      writeFileSync(token, 'open-sesame\n')
      const asked = await varve(['query', 'vector(1)', '--url', guarded.url, '--bearer-token-file', token])
      expect([asked.err, asked.out]).toEqual(['', expect.stringMatching(/1\n$/)])
      const fromEnvironment = { VARVE_BEARER_TOKEN_FILE: token }
      expect((await varve(['query', '1', '--url', guarded.url], '', fromEnvironment)).code).toBe(0)
      const missing = await varve(['query', '1', '--url', guarded.url, '--bearer-token-file', `${token}s`])
      expect([missing.code, missing.err]).toEqual([2, expect.stringContaining(`cannot read ${token}s`)])
    } finally {
      await guarded.stop()
    }
  })

  test('behind https, whose authority is not known is said, and it can be named', async () => {
    const { key, certificate } = makeCertificate(server.directory, 'here', { extension: 'subjectAltName=IP:127.0.0.1' })
    const web = `${server.directory}/tls.yml`
    writeFileSync(web, `tls_server_config: { cert_file: ${certificate}, key_file: ${key} }\n`)
    const guarded = await startCoordinator({ yaml: `self_scrape: off\nserver: { web_config: ${web} }` })
    try {
      const { code, err } = await varve(['query', '1', '--url', guarded.url])
      expect([code, err]).toEqual([1, expect.stringContaining('--ca-file names it')])
      expect((await varve(['query', '1', '--url', guarded.url, '--ca-file', certificate])).code).toBe(0)
    } finally {
      await guarded.stop()
    }
  })

  test('a snapshot is told by its folder', async () => {
    const admin = await startCoordinator({ yaml: 'self_scrape: off\nserver: { enable_admin: true }' })
    try {
      const { code, out } = await varve(['snapshot', '--url', admin.url])
      expect([code, out]).toEqual([0, expect.stringMatching(/^\/.*\n$/)])
      expect(dirname(out.trim())).toBe(`${admin.directory}/data/snapshots`)
      expect(existsSync(out.trim())).toBe(true)
    } finally {
      await admin.stop()
    }
  })

  test('listening beyond this machine without users is refused', async () => {
    const data = `${server.directory}/wide`
    const { code, err } = await varve(['coordinator', '--listen', '0.0.0.0:0', '--data-dir', data])
    expect(code).toBe(1)
    expect(err).toContain('can be reached from other machines')
  })
})
