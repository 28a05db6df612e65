/** TLS, users, tokens and tenants, over real connections. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificate } from '@varve/tsdb-core/testing'
import bcrypt from 'bcryptjs'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeRequestCodec } from './proto/messages.js'
import { encodeSnappy } from './snappy/index.js'
import { startCoordinator, type TestCoordinator } from './testing/start-coordinator.js'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const directory = mkdtempSync(join(tmpdir(), 'varve-tls-'))
const agent = new Agent({ connect: { rejectUnauthorized: false } })
afterAll(async () => {
  await agent.close()
  rmSync(directory, { recursive: true })
})

const webYml = (extra = '') => `
tls_server_config: { cert_file: cert.pem, key_file: key.pem, min_version: TLS12 }
http_server_config: { headers: { X-Frame-Options: deny } }
basic_auth_users:
  alice: ${bcrypt.hashSync('hunter2', 4)}
bearer_tokens:
  - { name: one, sha256: ${sha256('one')}, roles: [read, write], tenants: [t1] }
  - { name: two, sha256: ${sha256('two')}, roles: [read, write], tenants: [t2] }
  - { name: writer, sha256: ${sha256('writer')}, roles: [write], tenants: [t1, default] }
${extra}`

function body(name: string) {
  const timeseries = [
    { labels: [{ name: '__name__', value: name }], samples: [{ value: 1, timestamp: 1_700_000_000_000 }] },
  ]
  return encodeSnappy(writeRequestCodec.encode({ timeseries, metadata: [] }).finish())
}

describe('a server with web.yml', () => {
  let server: TestCoordinator
  const files: Record<string, string> = {}

  beforeAll(async () => {
    const { certificate, key } = makeCertificate(directory, 'localhost')
    files['etc/web.yml'] = webYml()
    files['etc/cert.pem'] = readFileSync(certificate, 'utf8')
    files['etc/key.pem'] = readFileSync(key, 'utf8')
    server = await startCoordinator({
      yaml: 'self_scrape: off\nserver: { web_config: etc/web.yml, enable_lifecycle: true }\ntenants: { enabled: true }',
      files,
    })
  })
  afterAll(() => server?.stop())

  const call = async (
    path: string,
    headers: Record<string, string> = {},
    method: 'GET' | 'POST' = 'GET',
    sent?: Uint8Array,
  ) => {
    const response = await request(`${server.url}${path}`, { dispatcher: agent, method, headers, body: sent ?? null })
    return { status: response.statusCode, headers: response.headers, text: await response.body.text() }
  }
  const bearer = (token: string, tenant?: string) => ({
    Authorization: `Bearer ${token}`,
    ...(tenant === undefined ? {} : { 'X-Scope-OrgID': tenant }),
  })
  const basic = (password: string) => ({
    Authorization: `Basic ${Buffer.from(`alice:${password}`).toString('base64')}`,
  })
  const write = (name: string, headers: Record<string, string>) =>
    call(
      '/api/v1/write',
      { ...headers, 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
      'POST',
      body(name),
    )

  test('speaks TLS, asks who is there, and sends its headers', async () => {
    expect(server.url).toMatch(/^https:/)
    const refused = await call('/api/v1/query?query=1')
    expect(refused.status).toBe(401)
    expect(refused.headers['www-authenticate']).toContain('Basic')
    expect(refused.headers['x-frame-options']).toBe('deny')
    expect((await call('/api/v1/query?query=1', basic('hunter2'))).status).toBe(200)
    expect((await call('/api/v1/query?query=1', basic('wrong'))).status).toBe(401)
    expect((await call('/-/ready')).status).toBe(200)
    expect((await call('/metrics')).status).toBe(401)
  })

  test('a token writes and does not read, when that is its role', async () => {
    expect((await write('w', bearer('writer', 't1'))).status).toBe(204)
    expect((await call('/api/v1/query?query=1', bearer('writer', 't1'))).status).toBe(403)
    expect((await call('/-/reload', bearer('writer', 't1'), 'POST')).status).toBe(403)
  })

  test('no endpoint shows one tenant what is of another', async () => {
    expect((await write('secret_of_t1', bearer('one'))).status).toBe(204)
    expect((await call('/api/v1/query?query=secret_of_t1&time=1700000000', bearer('one'))).text).toContain(
      'secret_of_t1',
    )
    const paths = [
      '/api/v1/query?query=secret_of_t1&time=1700000000',
      '/api/v1/query_range?query=secret_of_t1&start=1700000000&end=1700000001&step=1',
      '/api/v1/series?match[]={__name__!=""}',
      '/api/v1/labels',
      '/api/v1/label/__name__/values',
      '/api/v1/metadata',
      '/api/v1/query_exemplars?query=up',
      '/api/v1/status/tsdb',
      '/api/v1/status/config',
      '/api/v1/status/namespaces',
      '/api/v1/rollup-rules',
      '/api/v1/export?match[]={__name__!=""}',
      '/federate?match[]={__name__!=""}',
    ]
    for (const path of paths) {
      const answers = [
        await call(path, bearer('two')),
        await call(path, bearer('two', 't1')),
        await call(path, bearer('two', 't2, t1')),
        await call(`${path}${path.includes('?') ? '&' : '?'}X-Scope-OrgID=t1`, bearer('two')),
      ]
      for (const { text } of answers) expect(text, path).not.toMatch(/secret_of_t1|tenant-[0-9a-f]{16}/)
      expect(answers[1].status, path).toBe(403)
      expect(answers[2].status, path).toBe(400)
    }
  })

  test('a reload lets new users in and old ones out; a bad file changes nothing', async () => {
    files['etc/web.yml'] = webYml().replace(sha256('two'), sha256('new'))
    await server.coordinator.reload()
    expect((await call('/api/v1/query?query=1', bearer('new'))).status).toBe(200)
    expect((await call('/api/v1/query?query=1', bearer('two'))).status).toBe(401)
    files['etc/web.yml'] = 'nonsense: 1'
    const bad = await call('/-/reload', basic('hunter2'), 'POST')
    expect([bad.status, bad.text]).toEqual([
      500,
      'failed to reload config: etc/web.yml:1:1: nonsense: no such setting\n',
    ])
    expect((await call('/api/v1/query?query=1', bearer('new'))).status).toBe(200)
  })
})

test('without users, tenants are refused at the start', async () => {
  await expect(startCoordinator({ yaml: 'tenants: { enabled: true }' })).rejects.toThrow(
    'tenants are on, but without users',
  )
})

describe('a reload', () => {
  test('takes other limits and relabelling, and says what waits for a restart', async () => {
    const lines: string[] = []
    const logger = {
      ...{ debug() {}, warn() {}, error() {} },
      info: (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`),
      child: () => logger,
    }
    const server = await startCoordinator({ yaml: 'self_scrape: off', logger })
    try {
      const write = (name: string) =>
        fetch(`${server.url}/api/v1/write`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
          body: body(name) as Uint8Array<ArrayBuffer>,
        })
      await write('kept')
      server.setConfig(`self_scrape: off
query: { samples: 1 }
storage: { memory: 2GiB }
ingest: { relabel: [{ source_labels: [__name__], regex: dropped, action: drop }] }`)
      await server.coordinator.reload()
      expect(lines.join('\n')).toContain('configuration was read again {"needRestart":["storage"]}')
      expect((await write('dropped')).status).toBe(204)
      const names = await (await fetch(`${server.url}/api/v1/label/__name__/values`)).json()
      expect(names).toMatchObject({ data: ['kept'] })
      const query = await fetch(`${server.url}/api/v1/query?query=kept[1h]&time=1700000000`)
      expect(query.status).toBe(422)
      expect(await query.text()).toContain('the limit samplesMax is 1')
    } finally {
      await server.stop()
    }
  })
})
