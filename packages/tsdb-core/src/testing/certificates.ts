/** Certificates for tests of TLS, made with openssl. Each holds for two days. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Paths of two PEM files. */
export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

export interface CertificateRequest {
  /** Default: `/CN=` and its name. */
  readonly subject?: string
  /** As openssl's configuration has it: `subjectAltName=DNS:localhost`. */
  readonly extension?: string
  /** Who signs it. Absent: it signs itself, and may sign others. */
  readonly authority?: CertificateFiles
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
const DAYS = ['-days', '2']

/** Writes `NAME.pem` and `NAME.key` into a folder. @throws {Error} when there is no openssl. */
export function makeCertificate(directory: string, name: string, request: CertificateRequest = {}): CertificateFiles {
  const { subject = `/CN=${name}`, extension, authority } = request
  const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: directory, stdio: 'ignore' })
  const files = { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) }
  const asked = [...NEW_KEY, '-subj', subject, '-keyout', files.key]
  if (authority === undefined) {
    openssl('req', '-x509', ...asked, ...DAYS, ...(extension ? ['-addext', extension] : []), '-out', files.certificate)
    return files
  }
  openssl('req', '-new', ...asked, '-out', `${name}.csr`)
  writeFileSync(join(directory, `${name}.ext`), extension ?? '')
  const signer = ['-CA', authority.certificate, '-CAkey', authority.key, '-CAcreateserial']
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    ...signer,
    ...DAYS,
    '-extfile',
    `${name}.ext`,
    '-out',
    files.certificate,
  )
  return files
}
