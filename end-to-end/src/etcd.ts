/** A real etcd with one member (Debian's package `etcd-server`), and `etcdctl` against it. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { freePort, RunningProcess } from './process.js'

const run = promisify(execFile)

/** PEM files: etcd shows `cert`, and takes clients only that show one of `authority`. */
export interface EtcdTls {
  readonly authority: string
  readonly certificate: string
  readonly key: string
  readonly clientCertificate: string
  readonly clientKey: string
}

export class Etcd {
  readonly endpoint: string
  readonly #directory: string
  readonly #peer: string
  readonly #tls: EtcdTls | undefined
  /** `name:password`, once there are users. */
  user: string | undefined
  #process: RunningProcess | undefined

  private constructor(directory: string, endpoint: string, peer: string, tls: EtcdTls | undefined) {
    this.#directory = directory
    this.endpoint = endpoint
    this.#peer = peer
    this.#tls = tls
  }

  /** `directory` must exist and be empty. */
  static async start(directory: string, tls?: EtcdTls): Promise<Etcd> {
    const [client, peer] = await Promise.all([freePort(), freePort()])
    const scheme = tls === undefined ? 'http' : 'https'
    const etcd = new Etcd(directory, `${scheme}://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`, tls)
    await etcd.restart()
    return etcd
  }

  /** Starts it on the same address and the same data. */
  async restart(): Promise<void> {
    const tls = this.#tls
    const secured =
      tls === undefined
        ? []
        : [
            ...['--cert-file', tls.certificate, '--key-file', tls.key],
            ...['--client-cert-auth', '--trusted-ca-file', tls.authority],
          ]
    const metrics = tls === undefined ? this.endpoint : `http://127.0.0.1:${await freePort()}`
    this.#process = await RunningProcess.start({
      name: 'etcd',
      command: 'etcd',
      args: [
        ...['--name', 'test', '--data-dir', `${this.#directory}/data`, '--logger', 'zap'],
        ...['--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint],
        ...['--listen-peer-urls', this.#peer, '--initial-advertise-peer-urls', this.#peer],
        ...['--initial-cluster', `test=${this.#peer}`],
        ...secured,
        // Health is told without certificates there.
        ...(tls === undefined ? [] : ['--listen-metrics-urls', metrics]),
      ],
      readyUrl: `${metrics}/health`,
    })
  }

  async kill(): Promise<void> {
    await this.#process?.kill()
  }

  /** Runs `etcdctl` as a user would, and returns what it printed. */
  async ctl(...args: string[]): Promise<string> {
    const tls = this.#tls
    const secured =
      tls === undefined ? [] : ['--cacert', tls.authority, '--cert', tls.clientCertificate, '--key', tls.clientKey]
    const user = this.user === undefined ? [] : ['--user', this.user]
    const { stdout } = await run('etcdctl', ['--endpoints', this.endpoint, ...secured, ...user, ...args], {
      env: { ...process.env, ETCDCTL_API: '3' },
      timeout: 10_000,
    })
    return stdout
  }
}
