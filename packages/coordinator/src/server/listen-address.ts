/** `127.0.0.1:7201`, `[::1]:7201`, `localhost:7201`, `:7201` (every address). */
import { CoordinatorError } from '../errors.js'

export interface ListenAddress {
  /** `''` means every address of the machine. */
  readonly host: string
  readonly port: number
}

export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]*)):(\d{1,5})$/.exec(text)
  const port = match === null ? NaN : Number(match[3])
  if (match === null || port > 65535) {
    throw new CoordinatorError(
      'INVALID_ARGUMENT',
      `listen address ${JSON.stringify(text)}: expected host:port such as 127.0.0.1:7201 or [::1]:7201`,
    )
  }
  return { host: match[1] ?? match[2], port }
}

/** Reachable from this machine only. */
export function isLoopback(address: ListenAddress): boolean {
  return address.host === 'localhost' || address.host === '::1' || /^127(\.\d{1,3}){3}$/.test(address.host)
}

export function formatAddress(address: ListenAddress): string {
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}
