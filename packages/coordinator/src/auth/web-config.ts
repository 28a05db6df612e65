/**
 * TLS and users in the file format of Prometheus' `--web.config.file`, so that operators write what they know, with two
 * keys of our own: `bearer_tokens`, and `access` to say what a user may do.
 *
 * Source: prometheus/exporter-toolkit, docs/web-configuration.md.
 */
import { z } from 'zod'
import { parseDocumentWith } from '../config/parse-config.js'
import { CoordinatorError } from '../errors.js'

const TENANT = /^[A-Za-z0-9][A-Za-z0-9!\-_.]{0,149}$/
const tlsVersion = z.enum(['TLS10', 'TLS11', 'TLS12', 'TLS13'])

const access = z.strictObject({
  roles: z.array(z.enum(['read', 'write', 'admin'])).default(['read', 'write', 'admin']),
  /** `*`: any tenant. */
  tenants: z.array(z.union([z.literal('*'), z.string().regex(TENANT, 'expected a tenant name')])).default(['default']),
})

const schema = z.strictObject({
  tls_server_config: z
    .strictObject({
      cert: z.string().optional(),
      key: z.string().optional(),
      cert_file: z.string().optional(),
      key_file: z.string().optional(),
      client_auth_type: z
        .enum([
          'NoClientCert',
          'RequestClientCert',
          'RequireAnyClientCert',
          'VerifyClientCertIfGiven',
          'RequireAndVerifyClientCert',
        ])
        .default('NoClientCert'),
      client_ca_file: z.string().optional(),
      client_ca: z.string().optional(),
      client_allowed_sans: z.array(z.string()).optional(),
      min_version: tlsVersion.default('TLS12'),
      max_version: tlsVersion.default('TLS13'),
      cipher_suites: z.array(z.string()).optional(),
      curve_preferences: z.array(z.string()).optional(),
      prefer_server_cipher_suites: z.boolean().optional(),
    })
    .optional(),
  http_server_config: z
    .strictObject({
      http2: z.boolean().optional(),
      headers: z
        .strictObject({
          'Content-Security-Policy': z.string().optional(),
          'X-Frame-Options': z.enum(['deny', 'sameorigin']).optional(),
          'X-Content-Type-Options': z.literal('nosniff').optional(),
          'X-XSS-Protection': z.string().optional(),
          'Strict-Transport-Security': z.string().optional(),
        })
        .optional(),
    })
    .optional(),
  basic_auth_users: z
    .record(
      z.string(),
      z
        .string()
        .regex(/^\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}$/, 'expected a bcrypt hash, as `htpasswd -nBC 10 ""` makes it'),
    )
    .default({}),
  bearer_tokens: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 of the token, 64 hexadecimal digits'),
        ...access.shape,
      }),
    )
    .default([]),
  access: z.record(z.string(), access).default({}),
})

export type WebConfig = z.output<typeof schema>
export type Access = z.output<typeof access>

export function parseWebConfig(text: string, name: string): WebConfig {
  const config = parseDocumentWith(schema, text, name)
  const stranger = Object.keys(config.access).find((user) => !Object.hasOwn(config.basic_auth_users, user))
  if (stranger !== undefined) {
    throw new CoordinatorError(
      'INVALID_CONFIG',
      `${name}: access.${stranger}: there is no such user in basic_auth_users`,
    )
  }
  const tls = config.tls_server_config
  if (tls !== undefined && ((tls.cert ?? tls.cert_file) === undefined || (tls.key ?? tls.key_file) === undefined)) {
    throw new CoordinatorError('INVALID_CONFIG', `${name}: tls_server_config needs cert_file and key_file`)
  }
  if (tls?.client_auth_type === 'NoClientCert' && (tls.client_allowed_sans ?? tls.client_ca ?? tls.client_ca_file)) {
    throw new CoordinatorError(
      'INVALID_CONFIG',
      `${name}: tls_server_config: client_ca_file and client_allowed_sans do nothing without client_auth_type`,
    )
  }
  return config
}

/** Whether whoever connects must show something: a password, a token or a verified certificate. */
export function demandsCredentials(config: WebConfig | null): boolean {
  if (config === null) return false
  return (
    Object.keys(config.basic_auth_users).length > 0 ||
    config.bearer_tokens.length > 0 ||
    config.tls_server_config?.client_auth_type === 'RequireAndVerifyClientCert'
  )
}

export function isTenantName(name: string): boolean {
  return TENANT.test(name)
}
