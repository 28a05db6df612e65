/** What `web.yml` asks of clients' certificates, over real connections, and what a reload changes of it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificate } from '@varve/tsdb-core/testing'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startCoordinator, type TestCoordinator, writeSeries } from './testing/start-coordinator.js'

const directory = mkdtempSync(join(tmpdir(), 'varve-certificates-'))
const at = (name: string) => join(directory, name)

const files: Record<string, string> = {}
let server: TestCoordinator | undefined
beforeAll(() => {
  const [authority, strangerAuthority] = ['authority', 'stranger-authority'].map((name) =>
    makeCertificate(directory, name),
  )
  const make = (name: string, names: string, by = authority) =>
    makeCertificate(directory, name, { extension: `subjectAltName=${names}`, authority: by })
  make('server', 'DNS:localhost')
  make('second-server', 'DNS:localhost')
  make('grafana', 'DNS:grafana.example,URI:spiffe://example/grafana,IP:10.0.0.7')
  make('other', 'DNS:other.example')
  make('stranger', 'DNS:grafana.example', strangerAuthority)
  for (const name of ['authority', 'server', 'second-server'])
    files[`etc/${name}.pem`] = readFileSync(at(`${name}.pem`), 'utf8')
  for (const name of ['server', 'second-server']) files[`etc/${name}.key`] = readFileSync(at(`${name}.key`), 'utf8')
})
afterEach(async () => {
  await server?.stop()
  server = undefined
})
afterAll(() => rmSync(directory, { recursive: true }))

const webYml = (more: string, name = 'server') =>
  `tls_server_config: { cert_file: ${name}.pem, key_file: ${name}.key, client_ca_file: authority.pem, ${more} }`

async function start(web: string): Promise<TestCoordinator> {
  files['etc/web.yml'] = web
  server = await startCoordinator({ yaml: 'self_scrape: off\nserver: { web_config: etc/web.yml }', files })
  return server
}

/** The status, and the name of the server's certificate; `refused` when the connection is. */
function ask(client?: string): Promise<string> {
  return new Promise((resolve) => {
    const own =
      client === undefined ? {} : { cert: readFileSync(at(`${client}.pem`)), key: readFileSync(at(`${client}.key`)) }
    const url = `${server?.url}/api/v1/query?query=1`
    const asked = request(url, { ...own, rejectUnauthorized: false, agent: false }, (response) => {
      const { subject } = (response.socket as import('node:tls').TLSSocket).getPeerCertificate()
      response.resume().once('end', () => resolve(`${response.statusCode} ${subject.CN}`))
    })
    asked.on('error', () => resolve('refused')).end()
  })
}

const REFUSED = 'refused'
const SERVED = '200 server'

test.each([
  ['RequestClientCert', [SERVED, SERVED, SERVED, SERVED]],
  ['RequireAnyClientCert', [REFUSED, SERVED, SERVED, SERVED]],
  ['VerifyClientCertIfGiven', [SERVED, SERVED, SERVED, REFUSED]],
  ['RequireAndVerifyClientCert', [REFUSED, SERVED, SERVED, REFUSED]],
])('%s', async (type, wanted) => {
  await start(webYml(`client_auth_type: ${type}`))
  expect(await Promise.all([ask(), ask('grafana'), ask('other'), ask('stranger')])).toEqual(wanted)
})

test.each(['grafana.example', 'spiffe://example/grafana', '10.0.0.7'])('only a client named %s', async (name) => {
  await start(webYml(`client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: ["x.example", "${name}"]`))
  expect(await Promise.all([ask(), ask('grafana'), ask('other'), ask('stranger')])).toEqual([
    REFUSED,
    SERVED,
    REFUSED,
    REFUSED,
  ])
})

test('forwarding and read sources trust the authority that their ca_file names, and no other', async () => {
  await start(webYml('client_auth_type: NoClientCert').replace('client_ca_file: authority.pem, ', ''))
  const url = server?.url.replace('127.0.0.1', 'localhost')
  const target = (name: string, ca: string) => `{ name: ${name}, url: "${url}/api/v1/write"${ca} }`
  const front = await startCoordinator({
    files,
    yaml: `self_scrape: off
remote_write: [${target('known', ', ca_file: etc/authority.pem')}, ${target('unknown', '')}]
remote_read: [{ name: far, url: "${url}/api/v1/read", ca_file: etc/authority.pem }]`,
  })
  try {
    const nowMs = Date.now()
    expect(await writeSeries(front.url, [{ labels: { __name__: 'a' }, samples: [[nowMs, 1]] }])).toBe(204)
    const metrics = async () => (await fetch(`${front.url}/metrics`)).text()
    await expect.poll(metrics).toMatch(/varve_forward_sent_samples_total\{target="known"\} 1/)
    await expect.poll(metrics).toMatch(/varve_forward_retries_total\{target="unknown"\} [1-9]/)
    expect(await metrics()).toMatch(/varve_forward_sent_samples_total\{target="unknown"\} 0/)
    const answer = (await (await fetch(`${front.url}/api/v1/query?query=a`)).json()) as { warnings?: string[] }
    expect(answer).toMatchObject({ status: 'success', data: { result: [{ metric: { __name__: 'a' } }] } })
    expect(answer.warnings).toBeUndefined()
  } finally {
    await front.stop()
  }
})

test('names without a demand for certificates are a mistake that is told', async () => {
  await expect(start(webYml('client_allowed_sans: [a]'))).rejects.toThrowError(/do nothing without client_auth_type/)
})

test('a reload takes new certificates and new demands; what cannot be used changes nothing', async () => {
  const { coordinator } = await start(webYml('client_auth_type: RequestClientCert'))
  expect(await ask()).toBe(SERVED)
  files['etc/web.yml'] = webYml('client_auth_type: RequireAndVerifyClientCert', 'second-server')
  await coordinator.reload()
  expect(await Promise.all([ask(), ask('grafana'), ask('stranger')])).toEqual([REFUSED, '200 second-server', REFUSED])

  files['etc/web.yml'] = webYml('client_auth_type: RequestClientCert').replace(
    'key_file: server',
    'key_file: second-server',
  )
  await expect(coordinator.reload()).rejects.toThrowError(/tls_server_config: certificate or key cannot be used/)
  expect(await Promise.all([ask(), ask('grafana')])).toEqual([REFUSED, '200 second-server'])

  // A good certificate beside a bad setting: all or nothing.
  files['etc/web.yml'] = webYml('client_auth_type: RequestClientCert')
  server?.setConfig(`self_scrape: off
server: { web_config: etc/web.yml }
ingest: { relabel: [{ action: replace, regex: "(", target_label: x }] }`)
  await expect(coordinator.reload()).rejects.toThrowError(/relabel|regex/)
  expect(await Promise.all([ask(), ask('grafana')])).toEqual([REFUSED, '200 second-server'])
})
