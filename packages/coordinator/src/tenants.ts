/** Which namespace holds a tenant's raw samples. */
import { createHash } from 'node:crypto'
import { DEFAULT_NAMESPACE } from '@varve/tsdb-core'
import { DEFAULT_TENANT } from './server/http.js'

/** Never the tenant's name itself: names come from requests, and namespaces are folders. */
export function namespaceOfTenant(tenant: string): string {
  if (tenant === DEFAULT_TENANT) return DEFAULT_NAMESPACE
  return `tenant-${createHash('sha256').update(tenant).digest('hex').slice(0, 16)}`
}
