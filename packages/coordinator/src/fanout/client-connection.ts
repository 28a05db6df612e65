/** Credentials for another server, and whom to trust there, as the configuration describes them. */
import { Secret } from '../logging/secret.js'

export interface ClientCredentials {
  readonly headers: Readonly<Record<string, string>>
  readonly basic_auth?:
    | { readonly username: string; readonly password?: string | undefined; readonly password_file?: string | undefined }
    | undefined
  readonly bearer_token?: string | undefined
  readonly bearer_token_file?: string | undefined
  readonly ca_file?: string | undefined
}

export interface ClientConnection {
  headers(): Record<string, string>
  /** PEM of the authorities to trust instead of the system's. */
  readonly authority?: string
}

/** Files are read once, here. */
export async function clientConnection(
  config: ClientCredentials,
  readText: (path: string) => Promise<string>,
): Promise<ClientConnection> {
  const authorization = await authorizationOf(config, readText)
  return {
    headers: () => ({
      ...config.headers,
      ...(authorization === null ? {} : { Authorization: authorization.reveal() }),
    }),
    ...(config.ca_file === undefined ? {} : { authority: await readText(config.ca_file) }),
  }
}

async function authorizationOf(
  config: ClientCredentials,
  readText: (path: string) => Promise<string>,
): Promise<Secret | null> {
  const { basic_auth: basic, bearer_token, bearer_token_file } = config
  if (basic !== undefined) {
    const { username, password, password_file } = basic
    const text = password_file === undefined ? (password ?? '') : (await readText(password_file)).trim()
    return new Secret(`Basic ${Buffer.from(`${username}:${text}`).toString('base64')}`)
  }
  const token = bearer_token_file === undefined ? bearer_token : (await readText(bearer_token_file)).trim()
  return token === undefined ? null : new Secret(`Bearer ${token}`)
}
