/**
 * Random 64-bit patterns in and out over HTTP: remote write, remote read, export and import keep every bit; JSON of a query every
 * number. `VARVE_EVERY_VALUE=1000000` is the large size.
 */
import { afterEach, expect, test } from 'vitest'
import { readRequestCodec } from './proto/messages.js'
import { decodeSnappy, encodeSnappy } from './snappy/index.js'
import { startCoordinator, type TestCoordinator } from './testing/start-coordinator.js'

const SAMPLE_COUNT = Number(process.env.VARVE_EVERY_VALUE ?? 60_000)
const SERIES_COUNT = 20
const SAMPLES_PER_SERIES = SAMPLE_COUNT / SERIES_COUNT
const SAMPLES_PER_REQUEST = 5_000
const START_MS = 1_700_000_000_000
const STEP_MS = 1_000

const running: TestCoordinator[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop()
})
const start = async () => {
  const server = await startCoordinator({ yaml: 'self_scrape: off\n' })
  running.push(server)
  return server.url
}

test(`${SAMPLE_COUNT} random values keep their bits over every boundary`, { timeout: 300_000 }, async () => {
  const bits = randomBits()
  const url = await start()
  for (let series = 0; series < SERIES_COUNT; series++) {
    for (let from = 0; from < SAMPLES_PER_SERIES; from += SAMPLES_PER_REQUEST) {
      const to = Math.min(SAMPLES_PER_SERIES, from + SAMPLES_PER_REQUEST)
      const response = await fetch(`${url}/api/v1/write`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
        body: encodeSnappy(writeRequest(bits, series, from, to)) as Uint8Array<ArrayBuffer>,
      })
      expect(response.status, await response.text()).toBe(204)
    }
  }
  expect(await changedOverRemoteRead(url, bits)).toEqual({ checked: SAMPLE_COUNT, changed: 0 })
  expect(await changedInJson(url, bits)).toEqual({ checked: SAMPLE_COUNT, changed: 0 })

  const other = await start()
  for (let series = 0; series < SERIES_COUNT; series++) {
    const lines = await (await fetch(`${url}/api/v1/export?match[]=bits{i="${series}"}`)).text()
    const imported = await fetch(`${other}/api/v1/import`, { method: 'POST', body: lines })
    expect(imported.status, await imported.text()).toBe(204)
  }
  expect(await changedOverRemoteRead(other, bits)).toEqual({ checked: SAMPLE_COUNT, changed: 0 })
})

/** One in ten is a NaN of any payload; none is a staleness marker, which a query leaves out. */
function randomBits(): BigUint64Array {
  let state = Number(process.env.SEED ?? 4)
  const halves = Uint32Array.from({ length: SAMPLE_COUNT * 2 }, () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return (mixed ^ (mixed >>> 16)) >>> 0
  })
  for (let i = 0; i < halves.length; i += 20) halves[i + 1] = (0x7ff00000 | (halves[i + 1] & 0x800fffff)) >>> 0
  return new BigUint64Array(halves.buffer)
}

const TEXT = new TextEncoder()

/** By hand, since a number that goes through JavaScript may lose the payload of a NaN. */
function writeRequest(bits: BigUint64Array, series: number, from: number, to: number): Uint8Array {
  const label = (name: string, value: string) => {
    const [n, v] = [TEXT.encode(name), TEXT.encode(value)]
    return [0x0a, n.length + v.length + 4, 0x0a, n.length, ...n, 0x12, v.length, ...v]
  }
  const labels = [...label('__name__', 'bits'), ...label('i', String(series))]
  // Tag and length, tag and eight bytes, tag and a varint of six bytes.
  const SAMPLE_SIZE = 2 + 9 + 7
  const size = labels.length + (to - from) * SAMPLE_SIZE
  const head = [0x0a, ...varint(size), ...labels]
  const bytes = new Uint8Array(head.length + (to - from) * SAMPLE_SIZE)
  const view = new DataView(bytes.buffer)
  bytes.set(head)
  let at = head.length
  for (let k = from; k < to; k++) {
    bytes.set([0x12, SAMPLE_SIZE - 2, 0x09], at)
    view.setBigUint64(at + 3, bits[series * SAMPLES_PER_SERIES + k], true)
    bytes.set([0x10, ...varint(START_MS + k * STEP_MS)], at + 11)
    at += SAMPLE_SIZE
  }
  return bytes
}

function varint(value: number): number[] {
  const bytes: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value & 127) | 128)
  return [...bytes, value]
}

async function changedOverRemoteRead(url: string, bits: BigUint64Array) {
  let checked = 0
  let changed = 0
  for (let series = 0; series < SERIES_COUNT; series++) {
    const matchers = [
      { type: 0, name: '__name__', value: 'bits' },
      { type: 0, name: 'i', value: String(series) },
    ]
    const message = { queries: [{ matchers, startTimestampMs: 0, endTimestampMs: START_MS * 2 }] }
    const response = await fetch(`${url}/api/v1/read`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
      body: encodeSnappy(readRequestCodec.encode(message).finish()) as Uint8Array<ArrayBuffer>,
    })
    const body = new Uint8Array(await response.arrayBuffer())
    expect(response.status).toBe(200)
    for (const sample of valuesOf(decodeSnappy(body, 1e9))) {
      if (sample !== bits[series * SAMPLES_PER_SERIES + (checked % SAMPLES_PER_SERIES)]) changed++
      checked++
    }
  }
  return { checked, changed }
}

/** The bits of all samples of a remote read: results, series, samples, values. */
function valuesOf(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found: bigint[] = []
  /** Fields of a message by number; those on the path are walked into. */
  const walk = (start: number, end: number, path: readonly number[]) => {
    for (let at = start; at < end; ) {
      const field = bytes[at] >>> 3
      const wire = bytes[at++] & 7
      if (wire === 1) {
        if (path.length === 1 && field === path[0]) found.push(view.getBigUint64(at, true))
        at += 8
        continue
      }
      let value = 0
      for (let scale = 1; ; scale *= 128) {
        const byte = bytes[at++]
        value += (byte & 127) * scale
        if (byte < 128) break
      }
      if (wire !== 2) continue
      // A value of zero is left out of its message.
      const before = found.length
      if (field === path[0]) walk(at, at + value, path.slice(1))
      if (field === path[0] && path.length === 2 && found.length === before) found.push(0n)
      at += value
    }
  }
  walk(0, bytes.length, [1, 1, 2, 1])
  return found
}

/** A NaN is a NaN there, whatever its payload; all numbers come back from their text. */
async function changedInJson(url: string, bits: BigUint64Array) {
  const values = new Float64Array(bits.buffer)
  const query = `bits[${SAMPLES_PER_SERIES + 10}s]`
  const time = String(START_MS / 1000 + SAMPLES_PER_SERIES)
  const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query, time })}`)
  const { data } = (await response.json()) as {
    data: { result: { metric: { i: string }; values: [number, string][] }[] }
  }
  let checked = 0
  let changed = 0
  for (const { metric, values: samples } of data.result) {
    for (const [seconds, text] of samples) {
      const wanted = values[Number(metric.i) * SAMPLES_PER_SERIES + (seconds - START_MS / 1000)]
      const found = text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text)
      if (!Object.is(found, Number.isNaN(wanted) ? Number.NaN : wanted)) changed++
      checked++
    }
  }
  return { checked, changed }
}
