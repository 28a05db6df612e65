/**
 * The platform, handed in (DESIGN D11). Nothing outside `env/node` touches the real one: `npm run check` sees to it.
 */
import type { Clock } from './clock.js'
import type { EtcdClient } from './etcd-client.js'
import type { FileSystem } from './file-system.js'
import type { Network } from './network.js'
import type { Random } from './random.js'

export interface Env {
  readonly clock: Clock
  readonly random: Random
  readonly files: FileSystem
  readonly network: Network
  /** Makes a client; the etcd library itself lives with its one implementation, in `@varve/aggregator`. */
  readonly connectEtcd?: (options: EtcdOptions) => EtcdClient
}

export interface EtcdOptions {
  readonly endpoints: readonly string[]
  readonly username?: string
  readonly password?: string
  readonly rootCertificate?: Uint8Array
  readonly clientCertificate?: Uint8Array
  readonly clientKey?: Uint8Array
}
