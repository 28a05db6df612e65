/** A real etcd with one member (Debian's package `etcd-server`), and `etcdctl` against it. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { freePort, RunningProcess } from './process.js'

const run = promisify(execFile)

export class Etcd {
  readonly endpoint: string
  #directory: string
  #peer: string
  #process: RunningProcess | undefined

  private constructor(directory: string, endpoint: string, peer: string) {
    this.#directory = directory
    this.endpoint = endpoint
    this.#peer = peer
  }

  /** `directory` must exist and be empty. */
  static async start(directory: string): Promise<Etcd> {
    const [client, peer] = await Promise.all([freePort(), freePort()])
    const etcd = new Etcd(directory, `http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`)
    await etcd.restart()
    return etcd
  }

  /** Starts it on the same address and the same data. */
  async restart(): Promise<void> {
    this.#process = await RunningProcess.start({
      name: 'etcd',
      command: 'etcd',
      args: [
        ...['--name', 'test', '--data-dir', `${this.#directory}/data`, '--logger', 'zap'],
        ...['--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint],
        ...['--listen-peer-urls', this.#peer, '--initial-advertise-peer-urls', this.#peer],
        ...['--initial-cluster', `test=${this.#peer}`],
      ],
      readyUrl: `${this.endpoint}/health`,
    })
  }

  async kill(): Promise<void> {
    await this.#process?.kill()
  }

  /** Runs `etcdctl` as a user would, and returns what it printed. */
  async ctl(...args: string[]): Promise<string> {
    const { stdout } = await run('etcdctl', ['--endpoints', this.endpoint, ...args], {
      env: { ...process.env, ETCDCTL_API: '3' },
      timeout: 10_000,
    })
    return stdout
  }
}
