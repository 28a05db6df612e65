/** What stands in docs/ and deploy/ for operators is held to what the program does. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { childrenOf, type Expression, parseExpression } from '@varve/promql'
import { ValidationSeverity, validate } from 'dockerfile-utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseWebConfig } from './auth/web-config.js'
import { parseConfig } from './config/parse-config.js'
import { startCoordinator, type TestCoordinator } from './testing/start-coordinator.js'

const path = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url))
const read = (name: string) => readFileSync(path(name), 'utf8')

describe('docs/configuration.md', () => {
  const blocks = [...read('docs/configuration.md').matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1])

  test('its example is a configuration that is taken as it stands', () => {
    const [example] = blocks
    const config = parseConfig(example, 'docs')
    expect(config.remote_read[0].name).toBe('prometheus-a')
  })

  test('its example shows every setting of the top levels', () => {
    // What cannot stand beside the rest (etcd beside rules) or needs files of its own is commented out.
    const shown = parse(blocks[0].replace(/^( *)# (?=etcd:|web_config:)/gm, '$1').replace(/^# {3}/gm, '  ')) as Record<
      string,
      Record<string, unknown>
    >
    const config = parseConfig('', 'defaults') as unknown as Record<string, unknown>
    expect(Object.keys(shown).sort()).toEqual([...new Set([...Object.keys(config), 'rules'])].sort())
    for (const section of ['server', 'storage', 'query', 'ingest', 'tenants', 'log']) {
      const keys = Object.keys(config[section] as object)
      expect(Object.keys(shown[section]), section).toEqual(expect.arrayContaining(keys))
    }
  })

  test('its example of a web.yml is taken', () => {
    const web = blocks[1].replace('$2y$10$…', `$2y$10$${'a'.repeat(53)}`).replace('9f86d0…', 'a'.repeat(64))
    expect(parseWebConfig(web, 'docs').access.alice.roles).toEqual(['read'])
  })
})

describe('deploy/', () => {
  let server: TestCoordinator
  beforeAll(async () => {
    server = await startCoordinator({
      yaml: 'remote_write: [{ name: t, url: "http://127.0.0.1:9/api/v1/write" }]\nself_scrape: off\nrules: rules',
    })
  })
  afterAll(() => server.stop())

  const expressions = () => {
    const alerts = parse(read('deploy/prometheus/alerts.yml')) as { groups: { rules: { expr: string }[] }[] }
    const dashboard = JSON.parse(read('deploy/grafana/dashboards/varve.json')) as {
      panels: { targets: { expr: string }[] }[]
    }
    return [
      ...alerts.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
      ...dashboard.panels.flatMap(({ targets }) =>
        targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '1m')),
      ),
    ]
  }

  test('alerts and dashboard parse, and name metrics that there are', async () => {
    // A scrape and a query, so that what counts them has children.
    await fetch(`${server.url}/api/v1/query?query=1`)
    const text = await (await fetch(`${server.url}/metrics`)).text()
    const known = new Set([...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name]) => [name, `${name}_bucket`]))
    known.add('up')
    const names = new Set<string>()
    const visit = (expression: Expression) => {
      if (expression.type === 'vectorSelector') names.add(expression.name)
      else childrenOf(expression).forEach(visit)
    }
    for (const text of expressions()) visit(parseExpression(text))
    expect([...names].filter((name) => !known.has(name))).toEqual([])
  })

  test.skipIf(spawnSync('promtool', ['--version']).error !== undefined)('promtool takes the Prometheus files', () => {
    const output = execFileSync('promtool', ['check', 'config', path('deploy/prometheus/prometheus.yml')])
    expect(output.toString()).toContain('SUCCESS')
  })

  test('the compose file mounts files that are there and builds with the Dockerfile', () => {
    const compose = parse(read('deploy/compose.yaml')) as {
      services: Record<string, { volumes?: string[]; build?: { dockerfile: string } }>
      volumes: Record<string, unknown>
    }
    for (const { volumes = [] } of Object.values(compose.services)) {
      for (const volume of volumes) {
        const [source] = volume.split(':')
        if (source.startsWith('./')) expect(() => read(`deploy/${source.slice(2)}/.`)).toThrow(/EISDIR/)
        else expect(Object.keys(compose.volumes)).toContain(source)
      }
    }
    expect(read(compose.services.varve.build?.dockerfile ?? '')).toContain('bin/varve.mjs')
    expect(read('deploy/varve.service')).toContain('bin/varve.mjs coordinator')
  })

  test('the Dockerfile passes a linter, which would find what is wrong', () => {
    const ignored = { deprecatedMaintainer: ValidationSeverity.WARNING }
    expect(validate(read('deploy/Dockerfile'), ignored)).toEqual([])
    expect(validate('FRM node\nEXPOSE x\n').length).toBeGreaterThan(1)
  })

  test('what Git leaves out is left out of an image too', () => {
    const lines = (name: string) =>
      read(name)
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
    const ignored = lines('.dockerignore')
    for (const line of lines('.gitignore')) {
      if (line.startsWith('benchmarks/')) continue // A lock file, which does no harm there.
      const name = line.replace(/\/$/, '')
      expect(ignored, line).toContain(name.startsWith('/') ? name.slice(1) : `**/${name}`)
    }
  })

  test('the Dockerfile builds with a Rust and a Node that are new enough', () => {
    const image = (name: string) =>
      new RegExp(`^FROM ${name}:([\\d.]+)-`, 'm').exec(read('deploy/Dockerfile'))?.[1] ?? ''
    const wanted = (file: string, pattern: RegExp) => pattern.exec(read(file))?.[1] ?? 'nothing'
    const atLeast = (given: string, least: string) => given.localeCompare(least, 'en', { numeric: true }) >= 0
    const rust = wanted('native/Cargo.toml', /^rust-version = "([\d.]+)"/m)
    expect(atLeast(image('rust'), rust), `rust ${image('rust')}, wanted ${rust}`).toBe(true)
    expect(atLeast(image('node'), wanted('package.json', /"node": ">=([\d.]+)"/))).toBe(true)
    expect(atLeast('1.9', '1.88')).toBe(false)
  })

  test.skipIf(spawnSync('systemd-analyze', ['--version']).error !== undefined)(
    'systemd takes the unit (skipped without systemd-analyze)',
    () => {
      const verify = (unit: string) => spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' })
      const { status, stderr } = verify(path('deploy/varve.service'))
      // What it says of users and programs that this machine has not, is not of the unit.
      const complaints = stderr.split('\n').filter((line) => /varve\.service:\d+:/.test(line))
      expect([complaints, /Failed to load/.test(stderr), status === null]).toEqual([[], false, false])
    },
  )

  const compose = [['docker-compose'], ['docker', 'compose']].find(
    ([program, ...words]) => spawnSync(program, [...words, 'version']).status === 0,
  )
  test.skipIf(compose === undefined)(
    'docker compose takes the compose file, and would not take a wrong one (skipped without docker compose)',
    () => {
      const [program, ...words] = compose as string[]
      const check = (file: string) => spawnSync(program, [...words, '-f', file, 'config', '-q'], { encoding: 'utf8' })
      const { status, stderr } = check(path('deploy/compose.yaml'))
      expect([status, stderr]).toEqual([0, ''])
      const directory = mkdtempSync(join(tmpdir(), 'varve-compose-'))
      try {
        const broken = read('deploy/compose.yaml').replace('image: quay.io', 'imge: quay.io')
        writeFileSync(join(directory, 'compose.yaml'), broken)
        const refused = check(join(directory, 'compose.yaml'))
        expect(refused.status).not.toBe(0)
        expect(refused.stderr).toContain('imge')
      } finally {
        rmSync(directory, { recursive: true })
      }
    },
    30_000,
  )
})
