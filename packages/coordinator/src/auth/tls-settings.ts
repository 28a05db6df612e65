/** The `tls_server_config` part of `web.yml`, with its files read. */
import { CoordinatorError } from '../errors.js'
import type { ClientCertificate, TlsSettings, TlsVersion } from '../server/listener.js'
import type { WebConfig } from './web-config.js'

const VERSIONS: Readonly<Record<string, TlsVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
}

/** As Go names what it asks of clients. */
const CLIENT_CERTIFICATES: Readonly<Record<string, ClientCertificate>> = {
  NoClientCert: 'none',
  RequestClientCert: 'asked',
  RequireAnyClientCert: 'any',
  VerifyClientCertIfGiven: 'verifiedIfGiven',
  RequireAndVerifyClientCert: 'required',
}

/** `null` when the file asks for no TLS. Paths are relative to the file, as with Prometheus: `read` resolves them. */
export async function tlsSettings(
  config: WebConfig,
  read: (path: string) => Promise<string>,
): Promise<TlsSettings | null> {
  const tls = config.tls_server_config
  if (tls === undefined) return null
  const text = async (inline: string | undefined, file: string | undefined, what: string) => {
    if (inline !== undefined) return inline
    if (file === undefined) throw new CoordinatorError('INVALID_CONFIG', `tls_server_config: ${what} is missing`)
    return read(file)
  }
  const authority = tls.client_ca ?? (tls.client_ca_file === undefined ? undefined : await read(tls.client_ca_file))
  return {
    certificate: await text(tls.cert, tls.cert_file, 'cert_file'),
    key: await text(tls.key, tls.key_file, 'key_file'),
    ...(authority === undefined ? {} : { clientAuthority: authority }),
    clientCertificate: CLIENT_CERTIFICATES[tls.client_auth_type],
    ...(tls.client_allowed_sans === undefined ? {} : { clientNames: tls.client_allowed_sans }),
    minVersion: VERSIONS[tls.min_version],
    maxVersion: VERSIONS[tls.max_version],
    ...(tls.cipher_suites === undefined ? {} : { ciphers: tls.cipher_suites.join(':') }),
    ...(tls.curve_preferences === undefined ? {} : { curves: tls.curve_preferences.map(curveName).join(':') }),
  }
}

/** Go's names for curves, in OpenSSL's. */
function curveName(name: string): string {
  const names = new Map([
    ['CurveP256', 'P-256'],
    ['CurveP384', 'P-384'],
    ['CurveP521', 'P-521'],
    ['X25519', 'X25519'],
  ])
  return names.get(name) ?? name
}
