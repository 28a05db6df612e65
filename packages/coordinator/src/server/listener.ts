/** What the coordinator needs of a listening server; `env/node/http-server.ts` has the real one. */
import type { ListenAddress } from './listen-address.js'
import type { Pipeline } from './pipeline.js'

export interface Listener {
  /** The port that the system chose when 0 was asked for. */
  readonly port: number
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
  readonly clientCertificate: 'none' | 'asked' | 'required'
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  readonly ciphers?: string
  readonly curves?: string
}

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

export type Listen = (options: ListenOptions) => Promise<Listener>
