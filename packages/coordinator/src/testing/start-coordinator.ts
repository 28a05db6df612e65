/** A coordinator in this process, on a port of its own and in a folder of its own: for tests. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { parseConfig } from '../config/parse-config.js'
import { Coordinator } from '../coordinator.js'
import { nodeHttpClient } from '../env/node/http-client.js'
import { HttpServer } from '../env/node/http-server.js'
import { passwordWorker } from '../env/node/password-worker.js'
import { nodeProgram } from '../env/node/program.js'
import type { Logger } from '../logging/logger.js'
import { SILENT } from '../logging/logger.js'
import { writeRequestCodec } from '../proto/messages.js'
import { encodeSnappy } from '../snappy/index.js'

export interface TestCoordinator {
  readonly url: string
  readonly coordinator: Coordinator
  readonly directory: string
  /** Changes the file that `reload` reads. */
  setConfig(yaml: string): void
  stop(): Promise<void>
}

export interface TestCoordinatorOptions {
  readonly yaml?: string
  /** False: what `yaml` says of retention holds; else samples are kept for ever, so that tests may have fixed times. */
  readonly retention?: false
  readonly files?: Readonly<Record<string, string>>
  readonly logger?: Logger
  /** Fills the data folder before the server opens it. */
  readonly prepare?: (dataDirectory: string) => Promise<void>
}

/** Of the process: each would watch its garbage collector and the ends of its standard streams anew. */
const program = nodeProgram(nodeEnv())

export async function startCoordinator(options: TestCoordinatorOptions = {}): Promise<TestCoordinator> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-coordinator-'))
  const env = nodeEnv()
  await options.prepare?.(join(directory, 'data'))
  const passwords = passwordWorker()
  const http = nodeHttpClient()
  let yaml = options.yaml ?? ''
  const overrides = [
    { path: ['server', 'listen'], value: '127.0.0.1:0', source: 'test' },
    { path: ['storage', 'retention'], value: 'forever', source: 'test' },
    // A second of processor time for each server of each test.
    { path: ['query', 'warm_up'], value: false, source: 'test' },
  ]
  const wanted = overrides.filter(({ path }) => {
    return path[1] === 'listen' ? !yaml.includes('listen:') : options.retention !== false
  })
  const read = () => parseConfig(yaml, 'varve.yaml', wanted)
  const coordinator = await Coordinator.start({
    config: read(),
    env,
    logger: options.logger ?? SILENT,
    runtime: program.runtime,
    listen: (listen) => HttpServer.listen(listen),
    passwords,
    http,
    readText: (path) => Promise.resolve(options.files?.[path] ?? readFile(path, 'utf8')),
    dataDirectory: join(directory, 'data'),
    rulesPath: join(directory, 'rules'),
    readConfig: async () => read(),
  })
  return {
    url: coordinator.url,
    coordinator,
    directory,
    setConfig: (text) => {
      yaml = text
    },
    async stop() {
      await coordinator.stop()
      await passwords.close()
      await http.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export interface TestSeries {
  readonly labels: Readonly<Record<string, string>>
  readonly samples: readonly (readonly [timestampMs: number, value: number])[]
}

/** Remote write 1.0 of float samples; resolves with the status. */
export async function writeSeries(url: string, series: readonly TestSeries[], headers = {}): Promise<number> {
  const timeseries = series.map(({ labels, samples }) => ({
    labels: Object.entries(labels)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => ({ name, value })),
    samples: samples.map(([timestamp, value]) => ({ timestamp, value })),
  }))
  const response = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy', ...headers },
    body: encodeSnappy(writeRequestCodec.encode({ timeseries, metadata: [] }).finish()) as Uint8Array<ArrayBuffer>,
  })
  await response.text()
  return response.status
}
