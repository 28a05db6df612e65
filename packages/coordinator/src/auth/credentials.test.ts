import { createHash } from 'node:crypto'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import bcrypt from 'bcryptjs'
import { afterAll, describe, expect, test } from 'vitest'
import { passwordWorker } from '../env/node/password-worker.js'
import { GET, type Permission, type Route, textResponse } from '../server/http.js'
import { Credentials } from './credentials.js'
import { demandsCredentials, parseWebConfig } from './web-config.js'

const passwords = passwordWorker()
afterAll(() => passwords.close())

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const hash = bcrypt.hashSync('hunter2', 4)
const TEXT = `
basic_auth_users:
  alice: ${hash}
  reader: ${hash}
access:
  reader: { roles: [read], tenants: [t1, t2] }
bearer_tokens:
  - { name: agent, sha256: ${sha256('token')}, roles: [write], tenants: [t1] }
`

function ask(options: { tenantsEnabled?: boolean } = {}) {
  const credentials = new Credentials({
    config: parseWebConfig(TEXT, 'web.yml'),
    tenantsEnabled: options.tenantsEnabled ?? false,
    passwords,
    clock: nodeEnv().clock,
    cacheKey: new Uint8Array(32),
  })
  return async (headers: Record<string, string>, permission: Permission = 'read', remoteAddress = '127.0.0.1') => {
    const route: Route = { methods: GET, path: '/', permission, handle: async () => textResponse(200, '') }
    const head = {
      ...{ method: 'GET', path: '/', query: new URLSearchParams(), remoteAddress },
      header: (name: string) => headers[name],
    }
    const result = await credentials.authenticate(head, route)
    return result.kind === 'allowed' ? result.tenant : result.response.status
  }
}

const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

describe('credentials', () => {
  test('a right password opens, a wrong one and an unknown user do not', async () => {
    const as = ask()
    expect(await as(basic('alice', 'hunter2'))).toBe('default')
    expect(await as(basic('alice', 'hunter2'))).toBe('default')
    expect(await as(basic('alice', 'hunter3'))).toBe(401)
    expect(await as(basic('bob', 'hunter2'))).toBe(401)
    expect(await as(basic('__proto__', 'hunter2'))).toBe(401)
    expect(await as({})).toBe(401)
    expect(await as({ authorization: 'Basic' })).toBe(401)
  })

  test('health needs none', async () => {
    expect(await ask()({}, 'public')).toBe('default')
  })

  test('roles hold', async () => {
    const as = ask()
    expect(await as(basic('reader', 'hunter2'), 'read')).toBe('default')
    expect(await as(basic('reader', 'hunter2'), 'write')).toBe(403)
    expect(await as({ authorization: 'Bearer token' }, 'write')).toBe('default')
    expect(await as({ authorization: 'Bearer token' }, 'read')).toBe(403)
    expect(await as({ authorization: 'Bearer other' }, 'write')).toBe(401)
    expect(await as(basic('alice', 'hunter2'), 'admin')).toBe('default')
  })

  test('the tenant header selects among the tenants of the credential and grants none', async () => {
    const as = ask({ tenantsEnabled: true })
    const reader = basic('reader', 'hunter2')
    expect(await as({ ...reader, 'x-scope-orgid': 't2' })).toBe('t2')
    expect(await as({ ...reader, 'x-scope-orgid': 't3' })).toBe(403)
    expect(await as({ ...reader, 'x-scope-orgid': 't1, t2' })).toBe(400)
    expect(await as({ ...reader, 'x-scope-orgid': '../t1' })).toBe(400)
    expect(await as({ authorization: 'Bearer token' }, 'write')).toBe('t1')
    expect(await as({ ...basic('alice', 'hunter2'), 'thanos-tenant': 'any' })).toBe('any')
  })

  test('an address that fails often has to wait, others do not', async () => {
    const as = ask()
    for (let i = 0; i < 20; i++) await as({}, 'read', '10.0.0.1')
    expect(await as(basic('alice', 'hunter2'), 'read', '10.0.0.1')).toBe(429)
    expect(await as(basic('alice', 'hunter2'), 'read', '10.0.0.2')).toBe('default')
  })
})

describe('the file', () => {
  test.each([
    ['basic_auth_users: { a: plain }', 'web.yml:1:21: basic_auth_users.a: expected a bcrypt hash'],
    ['tls_server_config: { cert_file: a }', 'needs cert_file and key_file'],
    ['access: { a: {} }', 'there is no such user'],
    ['unknown: 1', 'web.yml:1:1: unknown: no such setting'],
  ])('%j is refused', (text, message) => {
    expect(() => parseWebConfig(text, 'web.yml')).toThrow(message)
  })

  test('only what identifies a client counts as authentication', () => {
    expect(demandsCredentials(parseWebConfig('http_server_config: { http2: true }', 'web.yml'))).toBe(false)
    expect(demandsCredentials(parseWebConfig(TEXT, 'web.yml'))).toBe(true)
  })
})
