/**
 * What each tenant has of its own: a namespace for raw samples, a write pipeline, metadata and exemplars.
 *
 * Without tenants there is one, `default`, and its namespace is the store's `default`.
 */
import { createHash } from 'node:crypto'
import { type Database, DEFAULT_NAMESPACE, type NamespaceOptions } from '@varve/tsdb-core'
import { ExemplarStore } from './exemplars/exemplar-store.js'
import { LabelCache } from './ingest/label-cache.js'
import type { WriteMemory } from './ingest/write-pipeline.js'
import { WritePipeline } from './ingest/write-pipeline.js'
import type { WriteScanner } from './ingest/write-scanner.js'
import { MetadataStore } from './metadata/metadata-store.js'
import { DEFAULT_TENANT } from './server/http.js'

export interface Tenant {
  readonly namespace: string
  readonly pipeline: WritePipeline
  readonly metadata: MetadataStore
  readonly exemplars: ExemplarStore
}

export interface TenantsOptions {
  readonly database: Database
  readonly scanner: WriteScanner
  readonly memory: WriteMemory
  readonly exemplarCountMax: () => number
  /** Random numbers, for tables that nobody outside shall fill with collisions. */
  readonly seed: () => number
  /** For the namespace of a new tenant. */
  readonly namespaceOptions: () => Partial<NamespaceOptions>
}

export class Tenants {
  readonly #options: TenantsOptions
  readonly #tenants = new Map<string, Tenant>()
  readonly #opening = new Map<string, Promise<Tenant>>()

  constructor(options: TenantsOptions) {
    this.#options = options
  }

  get default(): Tenant {
    return this.#made(DEFAULT_TENANT, DEFAULT_NAMESPACE)
  }

  *[Symbol.iterator](): Iterator<readonly [name: string, tenant: Tenant]> {
    yield* this.#tenants
  }

  /** The tenant, with a namespace made for it the first time. For writes. */
  async open(name: string): Promise<Tenant> {
    const known = this.#tenants.get(name)
    if (known !== undefined) return known
    let opening = this.#opening.get(name)
    if (opening === undefined) {
      opening = this.#open(name).finally(() => this.#opening.delete(name))
      this.#opening.set(name, opening)
    }
    return opening
  }

  /** The tenant if it has ever written something. For reads, which make nothing. */
  find(name: string): Tenant | undefined {
    const namespace = namespaceOfTenant(name)
    return (
      this.#tenants.get(name) ??
      (this.#options.database.hasNamespace(namespace) ? this.#made(name, namespace) : undefined)
    )
  }

  async #open(name: string): Promise<Tenant> {
    const { database, namespaceOptions } = this.#options
    const namespace = namespaceOfTenant(name)
    if (!database.hasNamespace(namespace)) await database.createNamespace(namespace, namespaceOptions())
    return this.#made(name, namespace)
  }

  #made(name: string, namespace: string): Tenant {
    const known = this.#tenants.get(name)
    if (known !== undefined) return known
    const { database, scanner, memory, exemplarCountMax, seed } = this.#options
    const metadata = new MetadataStore()
    const exemplars = new ExemplarStore(exemplarCountMax())
    const sink = database.namespace(namespace)
    const pipeline = new WritePipeline({
      sink,
      scanner,
      memory,
      cache: new LabelCache({ seed: seed() }),
      exemplars,
      metadata,
    })
    const tenant = { namespace, pipeline, metadata, exemplars }
    this.#tenants.set(name, tenant)
    return tenant
  }
}

/** Never the tenant's name itself: names come from requests, and namespaces are folders. */
export function namespaceOfTenant(tenant: string): string {
  if (tenant === DEFAULT_TENANT) return DEFAULT_NAMESPACE
  return `tenant-${createHash('sha256').update(tenant).digest('hex').slice(0, 16)}`
}
