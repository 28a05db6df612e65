/**
 * Flags of `varve coordinator`: each is a key of the configuration file, and the environment variable
 * `VARVE_<FLAG>` (`VARVE_DATA_DIR`). A flag wins over the environment, the environment over the file.
 */
import type { Override } from '../config/parse-config.js'
import type { Arguments, Flag } from './command.js'

interface ConfigFlag extends Flag {
  readonly path: readonly string[]
  /** For lists: `a,b`. */
  readonly list?: boolean
}

export const CONFIG_FLAGS: readonly ConfigFlag[] = [
  flag('data-dir', 'DIR', ['storage', 'data_dir'], 'where the data lies (default ./data)'),
  flag('listen', 'HOST:PORT', ['server', 'listen'], 'address to serve on (default 127.0.0.1:7201)'),
  flag('retention', '15d|forever', ['storage', 'retention'], 'how long raw samples are kept (default 15d)'),
  { ...flag('etcd', 'URL[,URL]', ['etcd', 'endpoints'], 'take rules from this etcd'), list: true },
  flag('etcd-prefix', '/PATH', ['etcd', 'prefix'], 'keys of this installation in etcd (default /varve)'),
  flag('rules', 'FILE|DIR', ['rules'], 'take rules from a file or folder, which is watched'),
  flag('self-scrape', '15s|off', ['self_scrape'], 'how often to store our own metrics (default 15s)'),
  flag('max-future', '10m', ['storage', 'max_future'], 'how far ahead of the clock a sample may be (default 10m)'),
  flag(
    'sync',
    'always|interval|never',
    ['storage', 'sync'],
    'when a write is acknowledged (default always: after it is on disk)',
  ),
  flag('memory', '1GiB', ['storage', 'memory'], 'memory for recent samples, caches and queries (default 1GiB)'),
  flag('web-config', 'FILE', ['server', 'web_config'], "TLS and users, as Prometheus' --web.config.file"),
  toggle('allow-unauthenticated', ['server', 'allow_unauthenticated'], 'listen beyond this machine without users'),
  toggle('enable-admin', ['server', 'enable_admin'], 'switch on /api/v1/admin (delete, snapshot, flush)'),
  toggle('enable-lifecycle', ['server', 'enable_lifecycle'], 'switch on POST /-/reload'),
  flag('path-prefix', '/PATH', ['server', 'path_prefix'], 'serve under this path'),
  flag('log-level', 'debug|info|warn|error', ['log', 'level'], 'least severity of log lines (default info)'),
]

export function overridesFrom(given: Arguments, variable: (name: string) => string | undefined): Override[] {
  const overrides: Override[] = []
  for (const { name, path, type, list } of CONFIG_FLAGS) {
    const variableName = `VARVE_${name.toUpperCase().replaceAll('-', '_')}`
    const fromVariable = variable(variableName)
    const fromFlag = type === 'boolean' ? (given.isSet(name) ? 'true' : undefined) : given.text(name)
    const text = fromFlag ?? fromVariable
    if (text === undefined) continue
    const source = fromFlag === undefined ? variableName : `--${name}`
    const value = type === 'boolean' ? text === 'true' || text === '1' : list ? text.split(',').filter(Boolean) : text
    overrides.push({ path, value, source })
  }
  return overrides
}

function flag(name: string, value: string, path: readonly string[], help: string): ConfigFlag {
  return { name, type: 'string', value, path, help }
}

function toggle(name: string, path: readonly string[], help: string): ConfigFlag {
  return { name, type: 'boolean', path, help }
}
