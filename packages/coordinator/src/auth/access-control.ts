/** Reads `web.yml` into what the server needs: who may come in, TLS, headers for every answer. */
import type { Clock } from '@varve/tsdb-core/env'
import type { Config } from '../config/schema.js'
import { CoordinatorError } from '../errors.js'
import { formatAddress, isLoopback } from '../server/listen-address.js'
import type { TlsSettings } from '../server/listener.js'
import { type Authenticator, EVERYBODY } from '../server/pipeline.js'
import { Credentials, type PasswordChecker } from './credentials.js'
import { tlsSettings } from './tls-settings.js'
import { demandsCredentials, parseWebConfig, type WebConfig } from './web-config.js'

export interface AccessControl {
  readonly authenticator: Authenticator
  readonly tls: TlsSettings | null
  readonly responseHeaders: Readonly<Record<string, string>>
}

export interface AccessControlOptions {
  readonly config: Config
  readonly readText: (path: string) => Promise<string>
  readonly passwords: PasswordChecker
  readonly clock: Clock
  readonly cacheKey: Uint8Array
}

/**
 * @throws {CoordinatorError} `INVALID_CONFIG`, also for an address that others can reach while nobody has to say who they
 *   are, and for tenants without credentials to tell them apart.
 */
export async function accessControl(options: AccessControlOptions): Promise<AccessControl> {
  const { config } = options
  const path = config.server.web_config
  const web = path === undefined ? null : parseWebConfig(await readFile(options, path), path)
  const guarded = demandsCredentials(web)
  if (!guarded && !isLoopback(config.server.listen) && !config.server.allow_unauthenticated) {
    throw new CoordinatorError(
      'INVALID_CONFIG',
      `${formatAddress(config.server.listen)} can be reached from other machines, and nobody would have to say who they are: ` +
        'name users or tokens in --web-config FILE, listen on 127.0.0.1, or give --allow-unauthenticated',
    )
  }
  if (!guarded && config.tenants.enabled) {
    throw new CoordinatorError(
      'INVALID_CONFIG',
      'tenants are on, but without users or tokens in server.web_config everybody could name any tenant',
    )
  }
  const folder = path?.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.'
  const readBeside = (file: string) => readFile(options, file.startsWith('/') ? file : `${folder}/${file}`)
  return {
    authenticator: web === null || !guarded ? EVERYBODY : credentialsFor(web, options),
    tls: web === null ? null : await tlsSettings(web, readBeside),
    responseHeaders: headersOf(web),
  }
}

function credentialsFor(web: WebConfig, options: AccessControlOptions): Credentials {
  const { config, passwords, clock, cacheKey } = options
  return new Credentials({ config: web, tenantsEnabled: config.tenants.enabled, passwords, clock, cacheKey })
}

function headersOf(web: WebConfig | null): Record<string, string> {
  const headers = Object.entries(web?.http_server_config?.headers ?? {})
  return Object.fromEntries(headers.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

async function readFile(options: AccessControlOptions, path: string): Promise<string> {
  try {
    return await options.readText(path)
  } catch (error) {
    throw new CoordinatorError('INVALID_CONFIG', `cannot read ${path}: ${(error as Error).message}`, { cause: error })
  }
}
