/** Which namespace holds a tenant's raw samples. */
import { createHash } from 'node:crypto'
import { type Database, DEFAULT_NAMESPACE, type Namespace } from '@varve/tsdb-core'
import { formatDuration } from './config/units.js'
import { CoordinatorError } from './errors.js'
import { DEFAULT_TENANT } from './server/http.js'

/** Never the tenant's name itself: names come from requests, and namespaces are folders. */
export function namespaceOfTenant(tenant: string): string {
  if (tenant === DEFAULT_TENANT) return DEFAULT_NAMESPACE
  return `tenant-${createHash('sha256').update(tenant).digest('hex').slice(0, 16)}`
}

/** A namespace that a write names: raw, and the tenant's own unless it is the default tenant, who may write into each. */
export function rawNamespace(database: Database, tenant: string, name: string): Namespace {
  if (tenant !== DEFAULT_TENANT && name !== namespaceOfTenant(tenant)) {
    throw new CoordinatorError('INVALID_ARGUMENT', `namespace ${JSON.stringify(name)} is not this tenant's`)
  }
  const namespace = database.namespace(name)
  const { resolutionMs } = namespace.options
  if (resolutionMs === 0) return namespace
  const text = `namespace ${name} holds what rules roll up to ${formatDuration(resolutionMs)}: raw samples cannot go there`
  throw new CoordinatorError('INVALID_ARGUMENT', text)
}
