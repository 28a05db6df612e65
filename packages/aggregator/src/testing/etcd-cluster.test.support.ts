/** Real etcd members for tests: on free loopback ports, in a temporary folder, killed, frozen and started again at will. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export const hasEtcd = spawnSync('etcd', ['--version']).status === 0

interface Member {
  readonly name: string
  readonly clientUrl: string
  readonly peerUrl: string
  readonly directory: string
  process: ChildProcess | null
}

export class EtcdCluster {
  readonly #members: readonly Member[]
  readonly #root: string

  private constructor(members: readonly Member[], root: string) {
    this.#members = members
    this.#root = root
  }

  static async start(memberCount = 1): Promise<EtcdCluster> {
    const root = mkdtempSync(join(tmpdir(), 'varve-etcd-'))
    const ports = await freePorts(memberCount * 2)
    const members = Array.from({ length: memberCount }, (_, index) => ({
      name: `m${index}`,
      clientUrl: `http://127.0.0.1:${ports[index * 2]}`,
      peerUrl: `http://127.0.0.1:${ports[index * 2 + 1]}`,
      directory: join(root, `m${index}`),
      process: null,
    }))
    const cluster = new EtcdCluster(members, root)
    for (let index = 0; index < memberCount; index++) cluster.run(index)
    await cluster.ready()
    return cluster
  }

  get endpoints(): string[] {
    return this.#members.map((member) => member.clientUrl)
  }

  /** Starts a member, anew or with the data it has. */
  run(index: number): void {
    const member = this.#members[index]
    const cluster = this.#members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')
    member.process = spawn(
      'etcd',
      [
        ...['--name', member.name, '--data-dir', member.directory, '--logger', 'zap', '--log-level', 'fatal'],
        ...['--listen-client-urls', member.clientUrl, '--advertise-client-urls', member.clientUrl],
        ...['--listen-peer-urls', member.peerUrl, '--initial-advertise-peer-urls', member.peerUrl],
        ...['--initial-cluster', cluster, '--heartbeat-interval', '100', '--election-timeout', '1000'],
      ],
      { stdio: 'ignore' },
    )
  }

  /** Resolves when the cluster answers through any member. */
  async ready(): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt++) {
      try {
        await this.ctl('get', 'ready')
        return
      } catch {
        await delay(100) // Not yet: etcd needs a moment to elect.
      }
    }
    throw new Error('etcd did not become ready within 10 s')
  }

  signal(index: number, signal: NodeJS.Signals): void {
    this.#members[index].process?.kill(signal)
  }

  async kill(index: number): Promise<void> {
    const child = this.#members[index].process
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
  }

  /** Throws away a member's data, as when an empty backup is restored. Single members only. */
  async wipe(index: number): Promise<void> {
    await this.kill(index)
    rmSync(this.#members[index].directory, { recursive: true, force: true })
  }

  /** Runs `etcdctl`; the text that it prints. */
  ctl(...args: string[]): Promise<string> {
    const options = { env: { ...process.env, ETCDCTL_API: '3' }, timeout: 5000 }
    const flags = [`--endpoints=${this.endpoints.join(',')}`, '--dial-timeout=1s', '--command-timeout=3s']
    return new Promise((resolve, reject) => {
      execFile('etcdctl', [...flags, ...args], options, (error, stdout, stderr) => {
        if (error) reject(new Error(`etcdctl ${args.join(' ')}: ${stderr || error.message}`))
        else resolve(stdout)
      })
    })
  }

  async stop(): Promise<void> {
    for (let index = 0; index < this.#members.length; index++) await this.kill(index)
    rmSync(this.#root, { recursive: true, force: true })
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer()
      return new Promise<typeof server>((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** Waits until `condition` holds. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 5000,
): Promise<number> {
  const startMs = performance.now()
  while (!(await condition())) {
    if (performance.now() - startMs > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`)
    await delay(20)
  }
  return performance.now() - startMs
}
