/** What a user or an attacker gets wrong: a clear answer each time, and everything else goes on. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { compress } from 'snappy'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BINARY, Coordinator } from './coordinator.js'
import { freePort } from './process.js'
import { instantQuery } from './query-client.js'
import { remoteWrite } from './remote-writer.js'

const run = promisify(execFile)
const FLAGS = ['--retention', 'forever', '--self-scrape', 'off', '--enable-admin']

let directory: string
let coordinator: Coordinator

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-bad-input-'))
  coordinator = await Coordinator.start({ dataDirectory: join(directory, 'data'), flags: FLAGS })
})

afterAll(async () => {
  await coordinator?.kill()
  await rm(directory, { recursive: true, force: true })
})

async function post(body: Uint8Array): Promise<{ status: number; text: string }> {
  const response = await fetch(`${coordinator.url}/api/v1/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body,
  })
  return { status: response.status, text: await response.text() }
}

async function expectStillServing(): Promise<void> {
  const labels = { __name__: 'still_serving', case: expect.getState().currentTestName ?? '' }
  const written = await remoteWrite(coordinator.url, [{ labels, samples: [{ timestampMs: 1_000, value: 1 }] }])
  expect(written).toMatchObject({ status: expect.toSatisfy((status: number) => status >= 200 && status < 300) })
  expect(await instantQuery(coordinator.url, `count(still_serving)`, 1)).toHaveLength(1)
}

/** Some megabytes of slack for the runtime; a bomb would cost hundreds. */
async function residentMegabytes(): Promise<number> {
  const status = await readFile(`/proc/${coordinator.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

describe('a write that is not what it says', () => {
  it('refuses bytes that are not snappy', async () => {
    const answer = await post(Uint8Array.of(0x08, 0xff, 0xff, 0xff, 0xff, 0xff))
    expect(answer.status).toBe(400)
    expect(answer.text).toMatch(/snappy/i)
    await expectStillServing()
  })

  it('refuses protobuf that is cut off', async () => {
    const answer = await post(await compress(Buffer.from([0x0a, 0x20, 0x0a, 0x03])))
    expect(answer.status).toBe(400)
    expect(answer.text.length).toBeGreaterThan(10)
    await expectStillServing()
  })

  it('refuses a bomb by its declared length, at once and without the memory', async () => {
    const before = await residentMegabytes()
    const started = performance.now()
    for (let i = 0; i < 50; i++) {
      const answer = await post(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x04, 0x00)) // claims 1 GiB
      expect([400, 413]).toContain(answer.status)
    }
    expect(performance.now() - started).toBeLessThan(5_000)
    expect((await residentMegabytes()) - before).toBeLessThan(100)
    await expectStillServing()
  })

  it('keeps the good samples of a batch whose others are refused, and says why', async () => {
    const answer = await remoteWrite(coordinator.url, [
      { labels: { __name__: 'mixed', kind: 'good' }, samples: [{ timestampMs: 5_000, value: 7 }] },
      { labels: { __name__: 'mixed', kind: 'late' }, samples: [{ timestampMs: Date.now() + 3_600_000, value: 7 }] },
      { labels: { kind: 'nameless' }, samples: [{ timestampMs: 5_000, value: 7 }] },
    ])
    expect(answer.status).toBe(400)
    expect(answer.text).toMatch(/future|ahead/)
    const kept = await instantQuery(coordinator.url, 'mixed', 5)
    expect(kept.map((series) => series.metric.kind)).toEqual(['good'])
  })
})

describe('a query that cannot be answered', () => {
  it('says where it stopped making sense, in the words of Prometheus', async () => {
    const response = await fetch(`${coordinator.url}/api/v1/query?${new URLSearchParams({ query: 'sum(' })}`)
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({
      status: 'error',
      errorType: 'bad_data',
      error: 'invalid parameter "query": 1:5: parse error: unclosed left parenthesis',
    })
  })
})

describe('a data directory', () => {
  it('in use is refused by the second process, which names it', async () => {
    const listen = ['--listen', `127.0.0.1:${await freePort()}`]
    const data = join(directory, 'data')
    const second = run(process.execPath, [BINARY, 'coordinator', '--data-dir', data, ...listen, ...FLAGS])
    await expect(second).rejects.toMatchObject({ code: expect.any(Number), stderr: expect.stringContaining(data) })
    await expectStillServing()
  })

  it('with a damaged block is served but for the damage, and `varve verify` names it', async () => {
    const data = join(directory, 'damaged')
    let server = await Coordinator.start({ dataDirectory: data, flags: FLAGS })
    const hour = 3_600_000
    for (const day of [1, 60]) {
      const samples = Array.from({ length: 100 }, (_, i) => ({ timestampMs: day * 24 * hour + i * 15_000, value: i }))
      const answer = await remoteWrite(server.url, [{ labels: { __name__: 'damaged', day: String(day) }, samples }])
      expect(answer.status).toBeLessThan(300)
    }
    expect((await fetch(`${server.url}/api/v1/admin/tsdb/flush`, { method: 'POST' })).status).toBeLessThan(300)
    await server.stop()

    const verify = () => run(process.execPath, [BINARY, 'verify', data])
    await verify()
    const blocks = (await readdir(join(data, 'namespaces'), { recursive: true })).filter((name) =>
      name.endsWith('.block'),
    )
    expect(blocks.length).toBeGreaterThanOrEqual(2)
    const victim = join(data, 'namespaces', blocks.sort()[0])
    const bytes = await readFile(victim)
    bytes[Math.floor(bytes.length / 2)] ^= 0x10
    await writeFile(victim, bytes)

    await expect(verify()).rejects.toMatchObject({ code: 1, stdout: expect.stringContaining(blocks.sort()[0]) })
    server = await Coordinator.start({ dataDirectory: data, flags: FLAGS })
    try {
      const seen = await instantQuery(server.url, 'count_over_time(damaged[62d])', (61 * 24 * hour) / 1000)
      expect(seen.some((series) => series.value?.[1] === '100')).toBe(true)
      for (const series of seen) expect(Number(series.value?.[1])).toBeLessThanOrEqual(100)
    } finally {
      await server.kill()
    }
  })
})
