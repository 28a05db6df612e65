import type { ExemplarStore } from '../exemplars/exemplar-store.js'
import type { MetadataStore } from '../metadata/metadata-store.js'
import type { HaTracker } from './door/ha-tracker.js'
import type { RowWriter } from './row-writer.js'
import type { TokenBucket } from './token-bucket.js'
import type { WritePipeline } from './write-pipeline.js'

/** One tenant's way in. */
export interface TenantIngest {
  readonly pipeline: WritePipeline
  /** For protocols other than remote write. */
  readonly rows: RowWriter
  /** The same way in to another raw namespace. @throws {CoordinatorError} `INVALID_ARGUMENT` where it may not write. */
  readonly rowsInto: (namespace: string) => RowWriter
  readonly bucket: TokenBucket
  readonly metadata: MetadataStore
  readonly exemplars: ExemplarStore
  readonly replicas: HaTracker | undefined
}

/** The tenant that a write is for, made when it is new. */
export type OpenTenant = (tenant: string) => TenantIngest | Promise<TenantIngest>
