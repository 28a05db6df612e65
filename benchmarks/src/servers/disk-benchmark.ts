/**
 * Disk, everything, after sealing and merging: Varve and VictoriaMetrics take the same remote-write bodies, are told to flush and
 * to merge all that they have, and are asked how many samples they hold before their files are counted.
 *
 *     npm run bench -- servers/disk [--small] [--hosts 200] [--cases 2h,12h,2h-jitter]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { Fleet } from '../fleet/fleet.js'
import { checkCount } from './check-count.js'
import { diskBytes, type Server, type ServerName, startServer } from './servers.js'
import { encodeLabels, RequestEncoder, SAMPLES_PER_REQUEST } from './write-requests.js'

export interface DiskCase {
  readonly name: string
  /** Scrapes, 15 s apart. */
  readonly steps: number
  /** Share of hosts whose scrapes come up to 20 ms late. */
  readonly jitterShare?: number
  /** Most that Varve may take, as a part of what VictoriaMetrics takes. */
  readonly ratioMax: number
}

export const DISK_CASES: readonly DiskCase[] = [
  { name: '2h', steps: 480, ratioMax: 0.8 },
  { name: '12h', steps: 2880, ratioMax: 0.95 },
  { name: '2h-jitter', steps: 480, jitterShare: 1, ratioMax: 0.65 },
]

export interface DiskResult {
  readonly name: string
  readonly seriesCount: number
  readonly sampleCount: number
  readonly bytesPerSample: ReadonlyMap<ServerName, number>
  /** Varve's bytes divided by VictoriaMetrics'. */
  readonly ratio: number
}

const SERVERS = ['varve-typescript', 'victoria-metrics'] as const
const HEADERS = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }
/** In the past, at a multiple of all block sizes, so that no server takes it for the future. */
const START_MS = 1_699_999_200_000 - (1_699_999_200_000 % 86_400_000)

export async function runDiskBenchmark(
  one: DiskCase,
  options: { hosts: number },
  log: (line: string) => void,
): Promise<DiskResult> {
  const { steps, jitterShare } = one
  const fleet = new Fleet({
    hosts: options.hosts,
    steps,
    startMs: START_MS,
    ...(jitterShare !== undefined && { jitterShare }),
  })
  const folder = await mkdtemp(join(tmpdir(), 'varve-disk-'))
  const servers: Server[] = []
  try {
    for (const name of SERVERS) servers.push(await startServer(name, await mkdtemp(join(folder, `${name}-`))))
    await feed(servers, fleet)
    const bytesPerSample = new Map<ServerName, number>()
    for (const [i, name] of SERVERS.entries()) {
      await merge(servers[i])
      await checkCount(servers[i].url, fleet)
      bytesPerSample.set(name, (await settledDiskBytes(servers[i].directory)) / fleet.sampleCount)
    }
    const [ours, theirs] = SERVERS.map((name) => bytesPerSample.get(name) ?? Number.NaN)
    const ratio = ours / theirs
    const { length: seriesCount } = fleet.series
    const { sampleCount } = fleet
    log(
      `servers/disk/${one.name}: ${seriesCount} series, ${sampleCount} samples: varve ${ours.toFixed(3)} B/sample, ` +
        `victoria-metrics ${theirs.toFixed(3)} B/sample: ${ratio.toFixed(3)} times, wanted at most ${one.ratioMax}`,
    )
    return { name: one.name, seriesCount, sampleCount, bytesPerSample, ratio }
  } finally {
    for (const server of servers) await server.kill()
    await rm(folder, { recursive: true, force: true })
  }
}

/** The same bodies to all of them; each is sent when all have taken the one before. */
async function feed(servers: readonly Server[], fleet: Fleet): Promise<void> {
  const encoder = new RequestEncoder(fleet.series.map(({ labels }) => encodeLabels(labels)))
  const agent = new Agent({ connections: 1, pipelining: 1, bodyTimeout: 0, headersTimeout: 0 })
  try {
    for (const batch of fleet.batches(SAMPLES_PER_REQUEST)) {
      const body = encoder.encode(batch.series, batch.timestampsMs, batch.values, batch.count)
      await Promise.all(
        servers.map(async ({ name, url }) => {
          const target = `${url}/api/v1/write`
          const answer = await request(target, { method: 'POST', headers: HEADERS, body, dispatcher: agent })
          const text = await answer.body.text()
          if (answer.statusCode >= 300) throw new Error(`${name} answered ${answer.statusCode}: ${text.slice(0, 300)}`)
        }),
      )
    }
  } finally {
    await agent.close()
  }
}

/** All that is in memory goes to disk, and all that can be merged is. */
async function merge({ name, url }: Server): Promise<void> {
  const isVarve = name.startsWith('varve')
  const paths = isVarve ? ['/api/v1/admin/tsdb/flush'] : ['/internal/force_flush', '/internal/force_merge']
  for (const path of paths) {
    const answer = await request(`${url}${path}`, {
      method: isVarve ? 'POST' : 'GET',
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    const text = await answer.body.text()
    if (answer.statusCode >= 300) throw new Error(`${name} ${path}: ${answer.statusCode}: ${text.slice(0, 300)}`)
  }
}

/** VictoriaMetrics merges in the background and removes parts later: the size counts once it has stood for five seconds. */
async function settledDiskBytes(directory: string): Promise<number> {
  let sizeBytes = await diskBytes(directory)
  for (let still = 0; still < 5; ) {
    await delay(1_000)
    const now = await diskBytes(directory)
    still = now === sizeBytes ? still + 1 : 0
    sizeBytes = now
  }
  return sizeBytes
}
