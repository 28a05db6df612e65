/** TLS of a listening server: the options of Node's server, and what a client's certificate must be besides. */
import { createSecureContext, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
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
 * @throws {Error} of OpenSSL for a certificate or key that cannot be used; the server keeps what it had.
 */
export function replaceTls(server: Server, settings: TlsSettings): void {
  const options = tlsOptions(settings)
  createSecureContext(options)
  server.setSecureContext(options)
  // A secure context does not hold these two; the server reads them at each connection.
  Object.assign(server, { requestCert: options.requestCert, rejectUnauthorized: options.rejectUnauthorized })
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
