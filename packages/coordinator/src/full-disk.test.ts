/** A server whose disk runs full: a tmpfs of 8 MiB. Skipped, with a word, where mounting one is not allowed. */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { writeRequestCodec } from './proto/messages.js'
import { encodeSnappy } from './snappy/index.js'
import { startCoordinator, type TestCoordinator, writeSeries } from './testing/start-coordinator.js'

const START_MS = 1_700_000_000_000
const MIB = 1024 * 1024
let server: TestCoordinator | undefined
let mounted: string | undefined
afterEach(async () => {
  // Before the folder goes: what is mounted cannot be removed.
  await server?.coordinator.stop()
  if (mounted !== undefined) spawnSync('umount', ['-l', mounted])
  await server?.stop()
})

test('writes are answered 503 with Retry-After, queries go on, and writes resume by themselves', {
  timeout: 60_000,
}, async (context) => {
  server = await startCoordinator({
    yaml: 'storage: { disk_reserve: 2MiB }\nself_scrape: off\n',
    prepare: async (directory) => {
      mkdirSync(directory, { recursive: true })
      const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', directory])
      if (status === 0) mounted = directory
    },
  })
  if (mounted === undefined) return context.skip('a tmpfs cannot be mounted here (it takes root)')
  const { url } = server
  const ballast = join(mounted, 'ballast')
  await writeFile(ballast, new Uint8Array(4 * MIB))
  let step = 0
  const write = async () => {
    const sample = [START_MS + step * 1_000, step] as const
    const series = Array.from({ length: 500 }, (_, i) => ({
      labels: { __name__: 'm', i: `${i}`, text: `${step}-${i}`.repeat(5) },
      samples: [sample],
    }))
    const status = await writeSeries(url, [{ labels: { __name__: 'kept' }, samples: [sample] }, ...series])
    if (status === 204) step++
    return status
  }
  let status = 204
  while (status === 204) status = await write()
  expect(status).toBe(503)
  const acknowledged = step
  expect(acknowledged).toBeGreaterThan(1)
  const refused = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
    body: bodyOf(),
  })
  expect(refused.status).toBe(503)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await refused.text()).toContain('disk')
  const query = `count_over_time(kept[${acknowledged + 10}s])`
  const time = String(START_MS / 1000 + acknowledged)
  const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query, time })}`)
  const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } }
  expect(Number(data.result[0].value[1])).toBeGreaterThanOrEqual(acknowledged)
  expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^varve_read_only 1$/m)
  await rm(ballast)
  // The store looks at the disk every ten seconds.
  await expect.poll(write, { timeout: 25_000, interval: 250 }).toBe(204)
  expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^varve_read_only 0$/m)
})

function bodyOf(): Uint8Array<ArrayBuffer> {
  const timeseries = [
    { labels: [{ name: '__name__', value: 'kept' }], samples: [{ timestamp: START_MS + 3_600_000, value: 1 }] },
  ]
  return encodeSnappy(writeRequestCodec.encode({ timeseries, metadata: [] }).finish()) as Uint8Array<ArrayBuffer>
}
