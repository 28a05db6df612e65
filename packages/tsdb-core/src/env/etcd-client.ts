/**
 * The few calls that Varve makes of etcd. Keys are text, values are bytes; every call has a deadline of its own.
 *
 * A watch is for speed and a range is for truth (DESIGN D13): the watcher tells that something under the prefix may have
 * changed, and after each connection, error or compaction it says so once more; the caller then ranges.
 */
export interface EtcdClient {
  /** All keys that start with `prefix`, sorted, at one revision. */
  range(prefix: string): Promise<EtcdRange>
  get(key: string): Promise<EtcdKeyValue | null>
  put(key: string, value: Uint8Array, options?: { leaseId?: string }): Promise<{ revision: number }>
  delete(key: string): Promise<{ revision: number; deleted: boolean }>
  /** All compares hold: `then` is carried out; else nothing is. */
  transact(
    compares: readonly EtcdCompare[],
    then: readonly EtcdOperation[],
  ): Promise<{ succeeded: boolean; revision: number }>
  /** Calls `changed` after each change under the prefix and after each (re)connection. */
  watch(prefix: string, changed: (event: EtcdWatchEvent) => void): { close(): Promise<void> }
  grantLease(ttlMs: number): Promise<EtcdLease>
  close(): Promise<void>
}

export interface EtcdKeyValue {
  readonly key: string
  readonly value: Uint8Array
  readonly createRevision: number
  readonly modRevision: number
}

export interface EtcdRange {
  readonly revision: number
  readonly keyValues: readonly EtcdKeyValue[]
}

export type EtcdCompare =
  | { readonly key: string; readonly createRevision: number }
  | { readonly key: string; readonly modRevision: number }

export type EtcdOperation =
  | { readonly put: string; readonly value: Uint8Array; readonly leaseId?: string }
  | { readonly delete: string }

export type EtcdWatchEvent =
  | { readonly kind: 'changed' }
  | { readonly kind: 'connected' }
  | { readonly kind: 'lost'; readonly reason: string }

/** Held while `isHeld()`: by our own clock, from the last acknowledged keep-alive, so never later than etcd's. */
export interface EtcdLease {
  readonly id: string
  isHeld(): boolean
  revoke(): Promise<void>
}

export type EtcdErrorCode = 'UNAVAILABLE' | 'UNAUTHENTICATED' | 'INVALID_ARGUMENT'

export class EtcdError extends Error {
  readonly code: EtcdErrorCode
  constructor(code: EtcdErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EtcdError'
    this.code = code
  }
}
