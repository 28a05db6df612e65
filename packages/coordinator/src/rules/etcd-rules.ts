/** A connection to etcd as the settings or flags describe it. The library is loaded here, when it is needed. */
import { EtcdRuleStore } from '@varve/aggregator'
import type { Env, EtcdClient, EtcdOptions } from '@varve/tsdb-core/env'
import type { Config } from '../config/schema.js'

export async function connectEtcd(env: Env, options: EtcdOptions): Promise<EtcdClient> {
  if (env.connectEtcd !== undefined) return env.connectEtcd(options)
  const { Etcd3Client } = await import('@varve/aggregator/etcd')
  return new Etcd3Client(options, env.clock)
}

export function etcdRuleStore(
  client: EtcdClient,
  settings: { prefix: string; endpoints: readonly string[] },
): EtcdRuleStore {
  return new EtcdRuleStore({ client, ...settings })
}

/** Users, certificates and passwords of the `etcd` section, with files read. */
export async function etcdOptions(
  config: Config['etcd'],
  readText: (path: string) => Promise<string>,
): Promise<EtcdOptions> {
  const pem = async (path: string | undefined) => (path === undefined ? undefined : Buffer.from(await readText(path)))
  const password = config.password_file === undefined ? config.password : (await readText(config.password_file)).trim()
  const [rootCertificate, clientCertificate, clientKey] = await Promise.all([
    pem(config.ca_file),
    pem(config.cert_file),
    pem(config.key_file),
  ])
  return {
    endpoints: config.endpoints,
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(password === undefined ? {} : { password }),
    ...(rootCertificate === undefined ? {} : { rootCertificate }),
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    ...(clientKey === undefined ? {} : { clientKey }),
  }
}
