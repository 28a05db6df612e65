/**
 * Two coordinators, each with its own data, on one prefix of a real etcd: they follow the same rules and the same elected
 * replica, and when one is killed the other goes on. And one coordinator on an etcd with TLS, client certificates and users.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeCertificate } from '@varve/tsdb-core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Coordinator } from './coordinator.js'
import { Etcd, type EtcdTls } from './etcd.js'
import { getJson, instantQuery } from './query-client.js'
import { remoteWrite } from './remote-writer.js'

const FAILOVER_SECONDS = 4

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-pair-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** A Prometheus of an HA pair that writes to both coordinators and repeats nothing: who is down misses it. */
class Replica {
  readonly refused: string[] = []
  #running = true
  readonly #done: Promise<void>

  constructor(name: string, value: number, urls: () => readonly string[]) {
    this.#done = this.#run(name, value, urls)
  }

  async stop(): Promise<void> {
    this.#running = false
    await this.#done
  }

  async #run(name: string, value: number, urls: () => readonly string[]): Promise<void> {
    const labels = { __name__: 'paired', cluster: 'c', __replica__: name }
    while (this.#running) {
      const samples = [{ timestampMs: Date.now(), value }]
      for (const url of urls()) {
        const answer = await remoteWrite(url, [{ labels, samples }]).catch(() => null)
        if (answer !== null && answer.status >= 300 && answer.status < 500) this.refused.push(answer.text)
      }
      await delay(100)
    }
  }
}

describe('a pair of coordinators', { timeout: 180_000 }, () => {
  let etcd: Etcd
  const pair: Coordinator[] = []
  const replicas: Replica[] = []
  const start = (name: string, port?: number) =>
    Coordinator.start({
      dataDirectory: join(directory, name),
      flags: ['--config', join(directory, 'pair.yaml'), '--etcd', etcd.endpoint],
      ...(port === undefined ? {} : { port }),
    })

  beforeAll(async () => {
    await mkdir(join(directory, 'etcd'))
    etcd = await Etcd.start(join(directory, 'etcd'))
    const ha = `{ enabled: true, failover: ${FAILOVER_SECONDS}s }`
    await writeFile(join(directory, 'pair.yaml'), `self_scrape: off\ningest: { ha: ${ha} }\n`)
    await etcd.ctl('put', '/varve/rules/mapping/all', '{"match": "paired", "policies": ["1s:1d"]}')
    pair.push(await start('one'), await start('two'))
  })
  afterAll(async () => {
    for (const replica of replicas) await replica.stop()
    for (const coordinator of pair) await coordinator.kill()
    await etcd?.kill()
  })

  /** The values that a coordinator has stored in the last so many seconds: of a the value is 1, of b it is 2. */
  const valuesOf = async ({ url }: Coordinator, seconds: number) => {
    const [series] = await instantQuery(url, `paired[${seconds}s]`, Date.now() / 1000)
    return new Set((series?.values ?? []).map(([, value]) => value))
  }
  const lastOf = async ({ url }: Coordinator) =>
    (await instantQuery(url, 'last_over_time(paired[10s])', Date.now() / 1000))[0]?.value?.[1]

  it('stores the same replica in both, and rolls up in both', async () => {
    const urls = () => pair.map(({ url }) => url)
    replicas.push(new Replica('a', 1, urls))
    await expect.poll(() => lastOf(pair[0])).toBe('1')
    replicas.push(new Replica('b', 2, urls))
    // Longer than the failover: who is heard stays elected.
    await delay((FAILOVER_SECONDS + 1.5) * 1000)
    for (const coordinator of pair) {
      expect(await valuesOf(coordinator, 60)).toEqual(new Set(['1']))
      const rolledUp = await getJson(`${coordinator.url}/api/v1/query`, {
        query: 'paired[1m]',
        time: String(Date.now() / 1000),
        namespace: '1s_1d',
      })
      expect(rolledUp.data.result[0]?.values?.length ?? 0).toBeGreaterThan(2)
      const [series] = await instantQuery(coordinator.url, 'paired', Date.now() / 1000)
      expect(series.metric).toEqual({ __name__: 'paired', cluster: 'c' })
    }
    expect(replicas.flatMap(({ refused }) => refused)).toEqual([])
  })

  it('goes on when one coordinator is killed, and when the elected replica dies after it', async () => {
    await pair[0].kill()
    const killedMs = Date.now()
    await delay(1_500)
    expect(await lastOf(pair[1])).toBe('1')
    expect(await valuesOf(pair[1], 1)).toEqual(new Set(['1']))
    expect(Date.now() - killedMs).toBeLessThan(10_000)

    await replicas[0].stop()
    await expect.poll(() => lastOf(pair[1]), { timeout: 15_000 }).toBe('2')

    // The one that was away comes back and learns from etcd who is elected now.
    pair[0] = await start('one', pair[0].port)
    await expect.poll(() => lastOf(pair[0]), { timeout: 15_000 }).toBe('2')
    replicas[0] = new Replica('a', 1, () => pair.map(({ url }) => url))
    await delay(1_500)
    for (const coordinator of pair) expect(await valuesOf(coordinator, 1)).toEqual(new Set(['2']))
    expect(replicas.flatMap(({ refused }) => refused)).toEqual([])
  })
})

describe('an etcd with TLS, client certificates and users', { timeout: 60_000 }, () => {
  let etcd: Etcd
  let coordinator: Coordinator | undefined
  let tls: EtcdTls

  beforeAll(async () => {
    const folder = join(directory, 'tls')
    await mkdir(join(folder, 'etcd'), { recursive: true })
    tls = certificates(folder)
    etcd = await Etcd.start(join(folder, 'etcd'), tls)
    for (const [command, ...args] of [
      ['user', 'add', 'root:secret'],
      ['user', 'grant-role', 'root', 'root'],
      ['role', 'add', 'varve'],
      ['role', 'grant-permission', 'varve', '--prefix=true', 'readwrite', '/varve/'],
      ['user', 'add', 'varve:of-varve'],
      ['user', 'grant-role', 'varve', 'varve'],
      ['auth', 'enable'],
    ]) {
      await etcd.ctl(command, ...args)
    }
    etcd.user = 'root:secret'
  })
  afterAll(async () => {
    await coordinator?.kill()
    await etcd?.kill()
  })

  const configure = async (name: string, password: string, more = '') => {
    const path = join(directory, `${name}.yaml`)
    await writeFile(`${path}.password`, `${password}\n`)
    await writeFile(
      path,
      `self_scrape: off
etcd:
  endpoints: [${etcd.endpoint}]
  username: varve
  password_file: ${path}.password
  ca_file: ${tls.authority}
  ${more}
`,
    )
    return Coordinator.start({ dataDirectory: join(directory, name), flags: ['--config', path] })
  }
  const shown = `cert_file: CERT\n  key_file: KEY`

  it('gives rules to a coordinator that shows a certificate and knows its password, while it runs', async () => {
    const withFiles = shown.replace('CERT', tls.clientCertificate).replace('KEY', tls.clientKey)
    coordinator = await configure('secured', 'of-varve', withFiles)
    await etcd.ctl('put', '/varve/rules/mapping/all', '{"match": "up", "policies": ["1m:1d"]}')
    const rules = () => getJson(`${(coordinator as Coordinator).url}/api/v1/rollup-rules`, {})
    await expect.poll(async () => JSON.stringify(await rules()), { timeout: 15_000 }).toContain('mapping/all')
    expect(coordinator.output).not.toContain('of-varve')
  })

  it('keeps out one with a wrong password, which says so', async () => {
    const withFiles = shown.replace('CERT', tls.clientCertificate).replace('KEY', tls.clientKey)
    const attempt = configure('wrong', 'something else', withFiles)
    const text = await attempt.then(
      async (started) => {
        await expect.poll(() => started.output, { timeout: 15_000 }).toMatch(/authentication failed|invalid user/i)
        await started.kill()
        return started.output
      },
      (error: Error) => error.message,
    )
    expect(text).toMatch(/authentication failed|invalid user/i)
    expect(text).not.toContain('something else')
  })
})

/** An authority, a certificate of 127.0.0.1, and one of a client without a name that etcd could take for a user. */
function certificates(folder: string): EtcdTls {
  const authority = makeCertificate(folder, 'authority')
  const server = { subject: '/CN=localhost', extension: 'subjectAltName=IP:127.0.0.1,DNS:localhost', authority }
  const client = { subject: '/O=varve', extension: 'extendedKeyUsage=clientAuth', authority }
  const { certificate: clientCertificate, key: clientKey } = makeCertificate(folder, 'client', client)
  return {
    ...makeCertificate(folder, 'server', server),
    authority: authority.certificate,
    clientCertificate,
    clientKey,
  }
}
