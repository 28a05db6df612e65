/** The configuration in force as YAML, for `/api/v1/status/config`: with stars for every secret. */
import { stringify } from 'yaml'
import { formatAddress } from '../server/listen-address.js'
import type { Config } from './schema.js'
import { formatDuration } from './units.js'

const SECRET = /^(password|bearer_token|authorization)$/i

export function configText(config: Config): string {
  const { server, storage, ...rest } = config
  const shown = {
    server: { ...server, listen: formatAddress(server.listen) },
    storage: { ...storage, retention: formatDuration(storage.retention) },
    ...rest,
  }
  return stringify(withoutSecrets(shown, ''))
}

function withoutSecrets(value: unknown, key: string): unknown {
  if (SECRET.test(key) && value !== undefined) return '<secret>'
  if (value === Infinity) return 'forever'
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, key))
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  // Headers may carry tokens under any name.
  return Object.fromEntries(
    entries.map(([name, item]) => [name, key === 'headers' ? '<secret>' : withoutSecrets(item, name)]),
  )
}
