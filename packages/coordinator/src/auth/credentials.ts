/**
 * Who asks, and what they may do: basic passwords against bcrypt hashes, bearer tokens against SHA-256 digests.
 *
 * Passwords are checked off the main thread, one at a time, and only good ones are remembered, under a keyed digest of all
 * parts with their lengths, so that no two pairs of user and password look alike. An unknown user costs as much as a wrong
 * password. Addresses that fail often are slowed down.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '@varve/tsdb-core/env'
import { DEFAULT_TENANT, type HttpResponse, type Permission, type Route, textResponse } from '../server/http.js'
import type { AuthenticationResult, Authenticator, RawHead } from '../server/pipeline.js'
import { type Access, isTenantName, type WebConfig } from './web-config.js'

export interface PasswordChecker {
  matches(password: string, hash: string): Promise<boolean>
}

export interface CredentialsOptions {
  readonly config: WebConfig
  readonly tenantsEnabled: boolean
  readonly passwords: PasswordChecker
  readonly clock: Clock
  /** Random bytes, for this process only. */
  readonly cacheKey: Uint8Array
}

/** The hash of no password: an unknown user is checked against it, so that names cannot be told by time. */
const NOBODY = '$2b$10$cLNqry..MdujnJ/EpaU4T.KE2DFBsF7xCczKhObL4T7ttdJ/9Dr/S'
const REMEMBERED_MAX = 1_000
const FAILURES_PER_MINUTE_MAX = 20
const ADDRESSES_MAX = 10_000

export class Credentials implements Authenticator {
  readonly #options: CredentialsOptions
  readonly #remembered = new Set<string>()
  readonly #failures = new Map<string, { count: number; sinceMs: number }>()
  failureCount = 0

  constructor(options: CredentialsOptions) {
    this.#options = options
  }

  async authenticate(head: RawHead, route: Route): Promise<AuthenticationResult> {
    if (route.permission === 'public') return { kind: 'allowed', tenant: DEFAULT_TENANT }
    if (this.#isBlocked(head.remoteAddress)) {
      return refused(textResponse(429, 'too many wrong credentials from this address', { 'Retry-After': '60' }))
    }
    const access = await this.#accessOf(head)
    if (access === null) {
      this.#countFailure(head.remoteAddress)
      return refused(
        textResponse(401, 'Unauthorized', { 'WWW-Authenticate': 'Basic realm="varve", Bearer realm="varve"' }),
      )
    }
    if (!mayDo(access, route.permission))
      return refused(textResponse(403, `these credentials have not the role ${route.permission}`))
    return tenantOf(head, access, this.#options.tenantsEnabled)
  }

  async #accessOf(head: RawHead): Promise<Access | null> {
    const { config } = this.#options
    const authorization = head.header('authorization') ?? ''
    const [scheme, value = ''] = authorization.split(/\s+/, 2)
    if (scheme.toLowerCase() === 'bearer') return this.#accessOfToken(value)
    if (scheme.toLowerCase() === 'basic') return this.#accessOfUser(value)
    const onlyCertificates = Object.keys(config.basic_auth_users).length === 0 && config.bearer_tokens.length === 0
    return onlyCertificates && head.clientCertificateName !== undefined ? FULL_ACCESS : null
  }

  #accessOfToken(token: string): Access | null {
    const digest = createHash('sha256').update(token).digest()
    let found: Access | null = null
    // All are compared, so that the time does not tell which was near.
    for (const entry of this.#options.config.bearer_tokens) {
      if (timingSafeEqual(digest, Buffer.from(entry.sha256, 'hex'))) found = entry
    }
    return found
  }

  async #accessOfUser(encoded: string): Promise<Access | null> {
    const text = Buffer.from(encoded, 'base64').toString('utf8')
    const colon = text.indexOf(':')
    if (colon < 0) return null
    const user = text.slice(0, colon)
    const password = text.slice(colon + 1)
    const { config, passwords, cacheKey } = this.#options
    const known = Object.hasOwn(config.basic_auth_users, user)
    const hash = known ? config.basic_auth_users[user] : NOBODY
    const key = createHmac('sha256', cacheKey)
      .update(`${user.length}:${hash.length}:`)
      .update(user)
      .update(hash)
      .update(password)
      .digest('base64')
    if (!this.#remembered.has(key)) {
      const matches = await passwords.matches(password, hash)
      if (!matches || !known) return null
      if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear()
      this.#remembered.add(key)
    }
    return Object.hasOwn(config.access, user) ? config.access[user] : FULL_ACCESS
  }

  #isBlocked(address: string): boolean {
    const failures = this.#failures.get(address)
    if (failures === undefined) return false
    if (this.#options.clock.monotonicMs() - failures.sinceMs > 60_000) {
      this.#failures.delete(address)
      return false
    }
    return failures.count >= FAILURES_PER_MINUTE_MAX
  }

  #countFailure(address: string): void {
    this.failureCount++
    const failures = this.#failures.get(address)
    if (failures !== undefined) {
      failures.count++
      return
    }
    if (this.#failures.size >= ADDRESSES_MAX) this.#failures.clear()
    this.#failures.set(address, { count: 1, sinceMs: this.#options.clock.monotonicMs() })
  }
}

const FULL_ACCESS: Access = { roles: ['read', 'write', 'admin'], tenants: ['*'] }

function mayDo(access: Access, permission: Permission): boolean {
  return permission === 'public' || access.roles.includes('admin') || access.roles.includes(permission)
}

/** `X-Scope-OrgID` (or Thanos' header) selects a tenant; it never grants one. */
function tenantOf(head: RawHead, access: Access, enabled: boolean): AuthenticationResult {
  if (!enabled) return { kind: 'allowed', tenant: DEFAULT_TENANT }
  const asked = head.header('x-scope-orgid') ?? head.header('thanos-tenant')
  const tenant =
    asked ?? (access.tenants.length === 1 && access.tenants[0] !== '*' ? access.tenants[0] : DEFAULT_TENANT)
  if (!isTenantName(tenant)) {
    return refused(
      textResponse(400, `tenant ${JSON.stringify(tenant.slice(0, 60))}: expected 1 to 150 of A-Z a-z 0-9 ! - _ .`),
    )
  }
  if (!access.tenants.includes('*') && !access.tenants.includes(tenant)) {
    return refused(textResponse(403, `these credentials have no access to tenant ${JSON.stringify(tenant)}`))
  }
  return { kind: 'allowed', tenant }
}

function refused(response: HttpResponse): AuthenticationResult {
  return { kind: 'refused', response }
}
