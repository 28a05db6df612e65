/** TLS of a listening server: the options of Node's server, and what a client's certificate must be besides. */
import { createSecureContext, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { CoordinatorError } from '../../errors.js'
import type { TlsSettings } from '../../server/listener.js'

export function tlsOptions(settings: TlsSettings): TlsOptions {
  const { certificate, key, clientAuthority, clientCertificate, minVersion, maxVersion, ciphers, curves } = settings
  return {
    cert: certificate,
    key,
    minVersion,
    maxVersion,
    requestCert: clientCertificate !== 'none',
    rejectUnauthorized: clientCertificate === 'required',
    ...(clientAuthority === undefined ? {} : { ca: clientAuthority }),
    ...(ciphers === undefined ? {} : { ciphers }),
    ...(curves === undefined ? {} : { ecdhCurve: curves }),
  }
}

/**
 * For the connections that come from now on: certificates and what is asked of clients.
 *
 * @throws as `checkTls`; the server keeps what it had.
 */
export function replaceTls(server: Server, settings: TlsSettings): void {
  checkTls(settings)
  const options = tlsOptions(settings)
  server.setSecureContext(options)
  // A secure context does not hold these two; the server reads them at each connection.
  Object.assign(server, { requestCert: options.requestCert, rejectUnauthorized: options.rejectUnauthorized })
}

/** @throws {CoordinatorError} `INVALID_CONFIG` for a certificate or key that cannot be used. */
export function checkTls(settings: TlsSettings): void {
  try {
    createSecureContext(tlsOptions(settings))
  } catch (error) {
    const why = `certificate or key cannot be used: ${(error as Error).message}`
    throw new CoordinatorError('INVALID_CONFIG', `tls_server_config: ${why}`, { cause: error })
  }
}

/** Whether the connection may stay: what Node does not look at itself. */
export function isClientAccepted(socket: TLSSocket, { clientCertificate, clientNames }: TlsSettings): boolean {
  if (clientCertificate === 'none') return true
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return clientCertificate === 'asked' || clientCertificate === 'verifiedIfGiven'
  const mustBeVerified = clientCertificate === 'required' || clientCertificate === 'verifiedIfGiven'
  if (mustBeVerified && !socket.authorized) return false
  if (clientNames === undefined) return true
  return namesOf(certificate.subjectAltName ?? '').some((name) => clientNames.includes(name))
}

const NAME = /(?:^|, )(?:DNS|IP Address|URI|email):("(?:[^"\\]|\\.)*"|[^,]*)/g

/** `DNS:a.example, URI:"x, y"`: names that hold a comma are written as JSON texts. */
function namesOf(text: string): string[] {
  return [...text.matchAll(NAME)].map(([, name]) => (name.startsWith('"') ? (JSON.parse(name) as string) : name))
}
