/**
 * The configuration file: every key with its default and what it means. `docs/configuration.md` is the same for readers.
 *
 * Unknown keys are errors: a misspelt limit that is silently ignored is worse than a refused start.
 */
import { parseSelector } from '@varve/promql'
import { z } from 'zod'
import { LOG_LEVELS } from '../logging/logger.js'
import { parseListenAddress } from '../server/listen-address.js'
import { parseDurationSetting, parseSizeSetting } from './units.js'

const duration = z.string().transform((text, context) => {
  const ms = parseDurationSetting(text)
  if (ms !== null) return ms
  context.addIssue({
    code: 'custom',
    message: `expected a duration such as 15s, 5m, 15d or forever, got ${quote(text)}`,
  })
  return z.NEVER
})

const size = z.union([z.string(), z.number()]).transform((value, context) => {
  const bytes = parseSizeSetting(String(value))
  if (bytes !== null) return bytes
  context.addIssue({ code: 'custom', message: `expected a size such as 512MiB or 2GiB, got ${quote(String(value))}` })
  return z.NEVER
})

const url = z
  .string()
  .refine((text) => /^https?:\/\/[^/\s]+/.test(text), 'expected a URL that starts with http:// or https://')

const listenAddress = z.string().transform((text, context) => {
  try {
    return parseListenAddress(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
    return z.NEVER
  }
})

const regularExpression = z.string().refine((text) => {
  try {
    new RegExp(`^(?:${text})$`)
    return true
  } catch {
    return false
  }
}, 'expected a regular expression')

const selector = z.string().superRefine((text, context) => {
  try {
    parseSelector(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: `selector ${quote(text)}: ${(error as Error).message}` })
  }
})

const labelName = z.string().min(1)
const count = z.number().int().min(0)

/** How to reach another server: shared by read sources and write targets. */
const httpClient = {
  url,
  headers: z.record(z.string(), z.string()).default({}),
  basic_auth: z
    .strictObject({ username: z.string(), password: z.string().optional(), password_file: z.string().optional() })
    .optional(),
  bearer_token: z.string().optional(),
  bearer_token_file: z.string().optional(),
  /** Certificates of the authorities to trust instead of the system's. */
  ca_file: z.string().optional(),
}

const remoteRead = z.strictObject({
  name: z.string().min(1),
  ...httpClient,
  timeout: duration.prefault('30s'),
  /** Labels that tell replicas apart: dropped from the answers, and equal series are merged. */
  replica_labels: z.array(labelName).default([]),
  /** Asked only when the query has these matchers, as with Prometheus. */
  required_matchers: z.record(labelName, z.string()).default({}),
  /** Time that the local store covers anyway: asked only for what is older. 0: always asked. */
  local_retention: duration.prefault('0s'),
})

const remoteWrite = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, 'expected 1 to 64 of A-Z a-z 0-9 _ . -'),
  ...httpClient,
  timeout: duration.prefault('30s'),
  /** Namespaces whose samples are sent on; `default` holds the raw ones. */
  namespaces: z.array(z.string().min(1)).default(['default']),
  /** Only series that match one of these selectors; empty: all. */
  match: z.array(selector).default([]),
  queue_size: size.prefault('512MiB'),
  samples_per_request: z.number().int().min(1).max(100_000).default(2_000),
})

const relabelRule = z.strictObject({
  source_labels: z.array(z.string()).default([]),
  separator: z.string().default(';'),
  regex: z.string().default('(.*)'),
  target_label: z.string().optional(),
  replacement: z.string().default('$1'),
  modulus: z.number().int().min(1).optional(),
  action: z
    .enum([
      'replace',
      'keep',
      'drop',
      'hashmod',
      'labelmap',
      'labeldrop',
      'labelkeep',
      'lowercase',
      'uppercase',
      'keepequal',
      'dropequal',
    ])
    .default('replace'),
})

const limits = z.strictObject({
  label_name_length: count.default(1_024),
  label_value_length: count.default(2_048),
  labels_per_series: count.default(64),
  series_per_request: count.default(50_000),
  samples_per_request: count.default(2_000_000),
  /** Samples a second; 0: no limit. */
  ingestion_rate: count.default(0),
  ingestion_burst: count.default(0),
})

export const configSchema = z.strictObject({
  server: z
    .strictObject({
      listen: listenAddress.prefault('127.0.0.1:7201'),
      /** TLS and users, in the format of Prometheus' `--web.config.file`. */
      web_config: z.string().optional(),
      /** Lets the server listen beyond this machine without authentication. */
      allow_unauthenticated: z.boolean().default(false),
      path_prefix: z
        .string()
        .regex(/^(\/[^/\s]+)*$/, 'expected a path such as /varve, without a slash at its end')
        .default(''),
      enable_admin: z.boolean().default(false),
      /** `POST /-/reload`. */
      enable_lifecycle: z.boolean().default(false),
      cors_origin: regularExpression.optional(),
      connections: z.number().int().min(1).default(4_096),
      in_flight_size: size.prefault('256MiB'),
      shutdown_timeout: duration.prefault('4s'),
    })
    .prefault({}),
  storage: z
    .strictObject({
      data_dir: z.string().min(1).default('./data'),
      retention: duration.prefault('15d'),
      retention_size: size.prefault(0),
      max_future: duration.prefault('10m'),
      sync: z.enum(['always', 'interval', 'never']).default('always'),
      memory: size.prefault('1GiB'),
      series: z.number().int().min(1).default(5_000_000),
      new_series_per_second: z.number().int().min(1).default(100_000),
      disk_reserve: size.prefault('256MiB'),
      log_size: size.prefault('1GiB'),
    })
    .prefault({}),
  etcd: z
    .strictObject({
      endpoints: z.array(url).default([]),
      prefix: z
        .string()
        .regex(/^\/.*[^/]$/, 'expected a path such as /varve')
        .default('/varve'),
      username: z.string().optional(),
      password: z.string().optional(),
      password_file: z.string().optional(),
      ca_file: z.string().optional(),
      cert_file: z.string().optional(),
      key_file: z.string().optional(),
    })
    .prefault({}),
  /** A file or folder of rules; watched. Not together with etcd. */
  rules: z.string().min(1).optional(),
  self_scrape: z.union([z.literal('off'), duration]).prefault('15s'),
  external_labels: z.record(labelName, z.string()).default({}),
  query: z
    .strictObject({
      timeout: duration.prefault('2m'),
      lookback: duration.prefault('5m'),
      concurrency: z.number().int().min(1).default(20),
      queue_length: count.default(100),
      samples: z.number().int().min(1).default(50_000_000),
      series: z.number().int().min(1).default(500_000),
      size: size.prefault('1GiB'),
      /** Queries slower than this are logged. */
      slow: duration.prefault('10s'),
      /** Asks made-up queries right after the start, so that the first real ones find compiled code. */
      warm_up: z.boolean().default(true),
    })
    .prefault({}),
  ingest: z
    .strictObject({
      body_size: size.prefault('32MiB'),
      decoded_size: size.prefault('32MiB'),
      limits: limits.prefault({}),
      relabel: z.array(relabelRule).default([]),
      exemplars: count.default(100_000),
      otlp_delta: z.enum(['reject', 'accumulate']).default('reject'),
      ha: z
        .strictObject({
          enabled: z.boolean().default(false),
          cluster_label: labelName.default('cluster'),
          replica_label: labelName.default('__replica__'),
          failover: duration.prefault('30s'),
        })
        .prefault({}),
    })
    .prefault({}),
  tenants: z
    .strictObject({
      enabled: z.boolean().default(false),
      limits: z.record(z.string(), limits.partial()).default({}),
    })
    .prefault({}),
  remote_read: z.array(remoteRead).default([]),
  remote_write: z.array(remoteWrite).default([]),
  log: z.strictObject({ level: z.enum(LOG_LEVELS).default('info') }).prefault({}),
})

export type Config = z.output<typeof configSchema>
export type ConfigInput = z.input<typeof configSchema>
export type RemoteReadConfig = Config['remote_read'][number]
export type RemoteWriteConfig = Config['remote_write'][number]

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}
