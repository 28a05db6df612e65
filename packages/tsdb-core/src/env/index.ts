export type { Clock, Timer } from './clock.js'
export { sleep } from './clock.js'
export type { Env, EtcdOptions } from './env.js'
export type {
  EtcdClient,
  EtcdCompare,
  EtcdErrorCode,
  EtcdKeyValue,
  EtcdLease,
  EtcdOperation,
  EtcdRange,
  EtcdWatchEvent,
} from './etcd-client.js'
export { EtcdError } from './etcd-client.js'
export type { File, FileErrorCode, FileLock, FileStat, FileSystem, OpenMode } from './file-system.js'
export { FileError } from './file-system.js'
export type { Connection, Network } from './network.js'
export type { Random } from './random.js'
