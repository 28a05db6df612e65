/** A real Prometheus on a free port, in a folder of its own: for tests on machines that have one. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const hasPrometheus = spawnSync('prometheus', ['--version']).error === undefined

export interface PrometheusBinary {
  readonly path: string
  /** Such as 2.42 or 3.5. */
  readonly version: number
}

/** The installed one, and those that `VARVE_PROMETHEUS` names (separated by colons): newer ones, kept beside it. */
export const prometheusBinaries: readonly PrometheusBinary[] = [
  ...(hasPrometheus ? ['prometheus'] : []),
  ...(process.env.VARVE_PROMETHEUS ?? '').split(':').filter((path) => path !== ''),
].map((path) => {
  const { stdout, stderr, error } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  const version = /version (\d+\.\d+)/.exec(`${stdout}${stderr}`)?.[1]
  if (version === undefined) throw new Error(`${path} is no Prometheus: ${error?.message ?? stderr}`)
  return { path, version: Number(version) }
})

export interface RunningPrometheus {
  readonly url: string
  stop(): Promise<void>
}

/** `config` is given the address that it will listen on. */
export async function startPrometheus(
  config: (address: string) => string,
  { binary = 'prometheus', flags = [] }: { readonly binary?: string; readonly flags?: readonly string[] } = {},
): Promise<RunningPrometheus> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-prometheus-'))
  const address = `127.0.0.1:${await freePort()}`
  await writeFile(join(directory, 'prometheus.yml'), config(address))
  const child: ChildProcess = spawn(
    binary,
    [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=${address}`,
      '--enable-feature=exemplar-storage,native-histograms',
      '--log.level=warn',
      ...flags,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  child.stderr?.on('data', (part: Buffer) => (log = (log + part).slice(-4000)))
  const url = `http://${address}`
  for (let attempt = 0; ; attempt++) {
    const ready = await fetch(`${url}/-/ready`).then(
      (response) => response.ok,
      () => false,
    )
    if (ready) break
    if (attempt > 150 || child.exitCode !== null) throw new Error(`prometheus did not start: ${log}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return {
    url,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
