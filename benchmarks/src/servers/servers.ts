/** Varve, Prometheus and VictoriaMetrics as processes of their own, for side-by-side runs. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Coordinator, Prometheus, VictoriaMetrics } from '@varve/end-to-end'

export interface Server {
  readonly name: string
  /** Takes `/api/v1/write`, answers `/api/v1/query`. */
  readonly url: string
  readonly pid: number
  readonly directory: string
  /** What it wrote to its log. */
  readonly output: string
  kill(): Promise<void>
}

export type ServerName = 'varve' | 'varve-typescript' | 'prometheus' | 'victoria-metrics'

export async function startServer(name: ServerName, directory: string): Promise<Server> {
  if (name === 'prometheus') {
    const flags = [
      '--web.enable-remote-write-receiver',
      '--web.enable-admin-api',
      '--storage.tsdb.retention.time=100y',
      '--query.max-samples=1000000000',
      '--query.timeout=10m',
      '--enable-feature=native-histograms',
    ]
    const server = await Prometheus.start({ directory, config: '', scrapeIntervalSeconds: 60, flags })
    return described(name, `http://${server.address}`, directory, server)
  }
  if (name === 'victoria-metrics') {
    const server = await VictoriaMetrics.start(directory)
    return described(name, `http://${server.address}`, directory, server)
  }
  const server = await Coordinator.start({
    dataDirectory: join(directory, 'data'),
    flags: ['--retention', 'forever', '--self-scrape', 'off', '--enable-admin'],
    env: { VARVE_NATIVE: name === 'varve' ? 'require' : 'off' },
  })
  return described(name, server.url, directory, server)
}

function described(
  name: string,
  url: string,
  directory: string,
  process: { readonly pid: number; readonly output: string; kill(): Promise<void> },
): Server {
  return {
    name,
    url,
    directory,
    pid: process.pid,
    get output() {
      return process.output
    },
    kill: () => process.kill(),
  }
}

/** User and system time of a process so far, in seconds. */
export async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1].split(' ')
  const ticksPerSecond = 100
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** The most memory that a process has had, in MiB. */
export async function peakMemoryMiB(pid: number): Promise<number> {
  return statusMiB(pid, 'VmHWM')
}

export async function residentMemoryMiB(pid: number): Promise<number> {
  return statusMiB(pid, 'VmRSS')
}

/** From now on `peakMemoryMiB` tells of what comes. */
export async function resetPeakMemory(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5')
}

async function statusMiB(pid: number, field: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024
}

/** Bytes of all files below a folder. */
export async function diskBytes(directory: string): Promise<number> {
  let total = 0
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    // A server may remove a file while we look.
    const found = await stat(join(entry.parentPath, entry.name)).catch(() => null)
    total += found?.size ?? 0
  }
  return total
}
