/** What the coordinator needs of a listening server; `env/node/http-server.ts` has the real one. */
import type { ListenAddress } from './listen-address.js'
import type { Pipeline } from './pipeline.js'

export interface Listener {
  /** The port that the system chose when 0 was asked for. */
  readonly port: number
  /** From now on. @throws {CoordinatorError} `INVALID_CONFIG` for certificates that cannot be used: the old ones stay. */
  replaceCertificates(certificates: TlsSettings): void
  /** Takes no more requests, lets those in flight end for `graceMs`, then cancels them and closes every connection. */
  stop(graceMs: number): Promise<void>
}

export interface ListenOptions {
  readonly address: ListenAddress
  readonly pipeline: Pipeline
  readonly tls?: TlsSettings
  readonly connectionCountMax: number
}

/** PEM texts, and how clients must show who they are. */
export interface TlsSettings {
  readonly certificate: string
  readonly key: string
  readonly clientAuthority?: string
  readonly clientCertificate: ClientCertificate
  /** One of these must stand in a client's certificate as an alternative name; absent: any. */
  readonly clientNames?: readonly string[]
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  readonly ciphers?: string
  readonly curves?: string
}

/** `asked`: given or not, and by whomever; `any`: given by whomever; the others must have been made by the authority. */
export type ClientCertificate = 'none' | 'asked' | 'any' | 'verifiedIfGiven' | 'required'

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

export type Listen = (options: ListenOptions) => Promise<Listener>
