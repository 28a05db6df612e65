/** A real Prometheus (Debian's package `prometheus`) for tests, on a port and in a folder of its own. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0

export interface PrometheusProcess {
  readonly url: string
  stop(): Promise<void>
}

export async function startPrometheus(config: string, flags: readonly string[] = []): Promise<PrometheusProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-prometheus-'))
  const path = join(directory, 'prometheus.yml')
  await writeFile(path, config)
  const address = `127.0.0.1:${await freePort()}`
  const own = [
    `--config.file=${path}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=${address}`,
  ]
  const child = spawn('prometheus', [...own, '--log.level=error', ...flags], { stdio: 'ignore' })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  const url = `http://${address}`
  const stop = async () => {
    child.kill('SIGKILL')
    await gone
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await until('prometheus is ready', 10_000, async () => (await fetch(`${url}/-/ready`)).ok)
  } catch (error) {
    await stop()
    throw error
  }
  return { url, stop }
}

/** Looks again and again; an exception counts as not yet. */
export async function until(what: string, timeoutMs: number, holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs
  let last: unknown
  while (Date.now() < deadlineMs) {
    const held = await holds().catch((error: unknown) => {
      last = error
      return false
    })
    if (held) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`waited ${timeoutMs} ms for: ${what}${last === undefined ? '' : ` (${String(last)})`}`)
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
