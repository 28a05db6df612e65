/**
 * The one implementation of `EtcdClient` over the `etcd3` package.
 *
 * `etcd3` 1.1.2 has defects that were reproduced one by one; this is what is done about each:
 *
 * - Its watchers lose events when a stream dies during catch-up, and end for good at a compaction or a lost token. Watches
 *   here use the raw stream, carry no state, and say `connected` after each (re)connection: the caller then lists.
 * - Calls have no deadline: each gets one, and then goes to the next endpoint. A frozen server is noticed by keep-alives.
 * - Its circuit breaker makes all calls fail for 5 s after three failures, and a channel backs off for up to two minutes:
 *   the breaker is replaced by nothing, the back-off capped.
 * - A stream does not renew a lost token: before each watch a plain call is made, which does.
 * - Lease loss is told late: see `EtcdLeaseHolder`.
 * - Answers above 4 MiB fail: the limit is raised and lists are read in pages, at one revision.
 */
import {
  type Clock,
  type EtcdClient,
  type EtcdCompare,
  EtcdError,
  type EtcdErrorCode,
  type EtcdKeyValue,
  type EtcdLease,
  type EtcdOperation,
  type EtcdOptions,
  type EtcdRange,
  type EtcdWatchEvent,
} from '@varve/tsdb-core/env'
import * as etcd3 from 'etcd3'
import { messageOf } from '../errors.js'
import { EtcdLeaseHolder } from './etcd-lease.js'
import { EtcdWatch } from './etcd-watch.js'

/** One call to one endpoint may take this long; there are as many attempts as endpoints, and two at least. */
const CALL_DEADLINE_MS = 2000
const PAGE_KEYS = 500
const ANSWER_SIZE_BYTES_MAX = 64 * 1024 * 1024

const CHANNEL_OPTIONS = {
  // etcd closes a connection that pings more often than every 5 s, and counts from what reaches it.
  'grpc.keepalive_time_ms': 6000,
  'grpc.keepalive_timeout_ms': 2000,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.min_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 1000,
  // Channels to one address otherwise share their back-off with every other client of this process.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.max_receive_message_length': ANSWER_SIZE_BYTES_MAX,
}

export class Etcd3Client implements EtcdClient {
  readonly #clock: Clock
  readonly #endpoints: readonly { readonly url: string; readonly client: etcd3.Etcd3 }[]
  /** The endpoint that answered last. */
  #preferred = 0
  readonly #watches = new Set<EtcdWatch>()
  readonly #leases = new Set<EtcdLeaseHolder>()
  #closed = false

  /** @throws {EtcdError} `INVALID_ARGUMENT` for endpoints that are no http or https addresses. */
  constructor(options: EtcdOptions, clock: Clock) {
    this.#clock = clock
    if (options.endpoints.length === 0) throw new EtcdError('INVALID_ARGUMENT', 'no etcd endpoints were given')
    this.#endpoints = options.endpoints.map((url) => ({ url: checkedEndpoint(url), client: makeClient(url, options) }))
  }

  async range(prefix: string): Promise<EtcdRange> {
    const start = Buffer.from(prefix)
    const end = prefixEnd(start)
    const keyValues: EtcdKeyValue[] = []
    let from = start
    let revision: string | undefined
    for (;;) {
      const answer = await this.#call(`list ${prefix}`, (client, options) =>
        client.kv.range(
          {
            key: from,
            range_end: end,
            limit: PAGE_KEYS,
            ...(revision !== undefined && { revision }),
          } as etcd3.IRangeRequest,
          options,
        ),
      )
      // All pages are of the revision of the first, or a change between two pages could be seen by half.
      revision ??= answer.header.revision
      for (const entry of answer.kvs) keyValues.push(keyValueOf(entry))
      if (!answer.more || answer.kvs.length === 0) return { revision: Number(revision), keyValues }
      from = Buffer.concat([answer.kvs[answer.kvs.length - 1].key, Buffer.of(0)])
    }
  }

  async get(key: string): Promise<EtcdKeyValue | null> {
    const answer = await this.#call(`get ${key}`, (client, options) =>
      client.kv.range({ key: Buffer.from(key) }, options),
    )
    return answer.kvs.length === 0 ? null : keyValueOf(answer.kvs[0])
  }

  async put(key: string, value: Uint8Array, options?: { leaseId?: string }): Promise<{ revision: number }> {
    const lease = options?.leaseId ?? '0'
    const answer = await this.#call(`put ${key}`, (client, callOptions) =>
      client.kv.put({ key: Buffer.from(key), value: Buffer.from(value), lease }, callOptions),
    )
    return { revision: Number(answer.header.revision) }
  }

  async delete(key: string): Promise<{ revision: number; deleted: boolean }> {
    const answer = await this.#call(`delete ${key}`, (client, options) =>
      client.kv.deleteRange({ key: Buffer.from(key) }, options),
    )
    return { revision: Number(answer.header.revision), deleted: Number(answer.deleted) > 0 }
  }

  async transact(
    compares: readonly EtcdCompare[],
    then: readonly EtcdOperation[],
  ): Promise<{ succeeded: boolean; revision: number }> {
    const request: etcd3.ITxnRequest = { compare: compares.map(compareOf), success: then.map(operationOf), failure: [] }
    const answer = await this.#call('transaction', (client, options) => client.kv.txn(request, options))
    return { succeeded: answer.succeeded, revision: Number(answer.header.revision) }
  }

  watch(prefix: string, changed: (event: EtcdWatchEvent) => void): { close(): Promise<void> } {
    const watch = new EtcdWatch({
      clock: this.#clock,
      key: Buffer.from(prefix),
      end: prefixEnd(Buffer.from(prefix)),
      open: async () => {
        // The plain call renews a lost token and finds an endpoint that answers; a stream would do neither.
        await this.get(prefix)
        return this.#endpoints[this.#preferred].client.watchClient.watch()
      },
      changed,
    })
    this.#watches.add(watch)
    return {
      close: async () => {
        this.#watches.delete(watch)
        watch.close()
      },
    }
  }

  async grantLease(ttlMs: number): Promise<EtcdLease> {
    const sentMs = this.#clock.monotonicMs()
    const answer = await this.#call('grant lease', (client, options) =>
      client.leaseClient.leaseGrant({ TTL: String(Math.ceil(ttlMs / 1000)) }, options),
    )
    const id = answer.ID
    const lease = new EtcdLeaseHolder({
      clock: this.#clock,
      id,
      ttlMs: Math.min(ttlMs, Number(answer.TTL) * 1000),
      grantedMs: sentMs,
      openKeepAlive: () => this.#endpoints[this.#preferred].client.leaseClient.leaseKeepAlive(),
      renewFailed: () => this.#tryNextEndpoint(),
      revoke: async () => {
        this.#leases.delete(lease)
        await this.#call('revoke lease', (client, options) => client.leaseClient.leaseRevoke({ ID: id }, options))
      },
    })
    this.#leases.add(lease)
    return lease
  }

  async close(): Promise<void> {
    if (this.#closed) return
    for (const watch of this.#watches) watch.close()
    // A lease that nobody renews any more would keep its keys for a while: it is given back if etcd is there.
    await Promise.allSettled([...this.#leases].map((lease) => lease.revoke()))
    this.#closed = true
    for (const { client } of this.#endpoints) client.close()
  }

  #tryNextEndpoint(): void {
    this.#preferred = (this.#preferred + 1) % this.#endpoints.length
  }

  async #call<T>(what: string, call: (client: etcd3.Etcd3, options: { deadline: number }) => Promise<T>): Promise<T> {
    const attempts = Math.max(2, this.#endpoints.length)
    const failures: string[] = []
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (this.#closed) throw new EtcdError('UNAVAILABLE', `${what}: the etcd client was closed`)
      const { url, client } = this.#endpoints[this.#preferred]
      try {
        return await call(client, { deadline: this.#clock.wallMs() + CALL_DEADLINE_MS })
      } catch (cause) {
        const code = codeOf(cause)
        const failure = `${url}: ${messageOf(cause)}`
        // A second try at the same place mostly fails alike.
        if (failures.at(-1) !== failure) failures.push(failure)
        if (code === 'INVALID_ARGUMENT') throw new EtcdError(code, `etcd, ${what}: ${failures.at(-1)}`, { cause })
        this.#tryNextEndpoint()
        if (attempt === attempts - 1) throw new EtcdError(code, `etcd, ${what}: ${failures.join('; ')}`, { cause })
      }
    }
    throw new EtcdError('UNAVAILABLE', `etcd, ${what}: no endpoint`)
  }
}

function makeClient(url: string, options: EtcdOptions): etcd3.Etcd3 {
  const { username, password, rootCertificate, clientKey, clientCertificate } = options
  const secure = url.startsWith('https:') && rootCertificate !== undefined
  return new etcd3.Etcd3({
    hosts: url,
    ...(username !== undefined && { auth: { username, password: password ?? '' } }),
    ...(secure && {
      credentials: {
        rootCertificate: Buffer.from(rootCertificate),
        ...(clientKey && { privateKey: Buffer.from(clientKey) }),
        ...(clientCertificate && { certChain: Buffer.from(clientCertificate) }),
      },
    }),
    grpcOptions: CHANNEL_OPTIONS,
    faultHandling: { host: () => passThrough(), global: passThrough() },
  })
}

type FaultPolicy = NonNullable<NonNullable<etcd3.IOptions['faultHandling']>['global']>

/** A fault policy that does nothing: attempts and endpoints are chosen here. */
function passThrough(): FaultPolicy {
  const never = new AbortController().signal
  const policy = {
    onSuccess: () => ({ dispose() {} }),
    onFailure: () => ({ dispose() {} }),
    execute: async <T>(run: (context: { signal: AbortSignal }) => PromiseLike<T> | T): Promise<T> =>
      run({ signal: never }),
  }
  return policy as unknown as FaultPolicy
}

function checkedEndpoint(url: string): string {
  if (!/^https?:\/\/[^/?#\s]+\/?$/.test(url)) {
    throw new EtcdError(
      'INVALID_ARGUMENT',
      `etcd endpoint ${JSON.stringify(url)}: wanted http://HOST:PORT or https://HOST:PORT`,
    )
  }
  return url
}

function codeOf(error: unknown): EtcdErrorCode {
  const text = messageOf(error)
  if (
    error instanceof etcd3.EtcdInvalidAuthTokenError ||
    error instanceof etcd3.EtcdAuthenticationFailedError ||
    error instanceof etcd3.EtcdPermissionDeniedError ||
    error instanceof etcd3.GRPCUnauthenticatedError ||
    /authentication failed|permission denied|user name is empty/i.test(text)
  ) {
    return 'UNAUTHENTICATED'
  }
  if (error instanceof etcd3.GRPCInvalidArgumentError || /too large|lease not found/i.test(text))
    return 'INVALID_ARGUMENT'
  return 'UNAVAILABLE'
}

function keyValueOf(entry: etcd3.IKeyValue): EtcdKeyValue {
  return {
    key: entry.key.toString('utf8'),
    value: entry.value,
    createRevision: Number(entry.create_revision),
    modRevision: Number(entry.mod_revision),
  }
}

function compareOf(compare: EtcdCompare): etcd3.ICompare {
  const key = Buffer.from(compare.key)
  return 'createRevision' in compare
    ? { result: 'Equal', target: 'Create', key, create_revision: String(compare.createRevision) }
    : { result: 'Equal', target: 'Mod', key, mod_revision: String(compare.modRevision) }
}

function operationOf(operation: EtcdOperation): etcd3.IRequestOp {
  if ('delete' in operation) return { request_delete_range: { key: Buffer.from(operation.delete) } }
  const value = Buffer.from(operation.value)
  return { request_put: { key: Buffer.from(operation.put), value, lease: operation.leaseId ?? '0' } }
}

/** The first key after all that start with the prefix. An empty prefix, or one of 0xff alone, ends at `\0`: no end. */
function prefixEnd(prefix: Buffer): Buffer {
  for (let at = prefix.length - 1; at >= 0; at--) {
    if (prefix[at] === 0xff) continue
    const end = Buffer.from(prefix.subarray(0, at + 1))
    end[at]++
    return end
  }
  return Buffer.of(0)
}
