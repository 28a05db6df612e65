/** Two coordinators as one: the second reads the first. */
import { Engine } from '@varve/promql'
import { type Histogram, Labels } from '@varve/tsdb-core/model'
import type { Queryable, SelectRequest, SelectResult } from '@varve/tsdb-core/query'
import { openTemporaryDatabase } from '@varve/tsdb-core/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readResponseCodec } from '../proto/messages.js'
import { startCoordinator, type TestCoordinator, writeSeries } from '../testing/start-coordinator.js'
import { mergeReplicas } from './merge-replicas.js'
import { MergedQueryable } from './merged-queryable.js'
import { decodeReadResponse, decodeReadResponseInTurns } from './read-response.js'
import type { RemoteSource } from './remote-source.js'

interface Answer {
  data: { result: unknown[] }
  warnings?: string[]
}

const START_MS = 1_700_000_000_000

describe('copies of one series', () => {
  const copy = (times: number[], values: number[]) => ({
    timestampsMs: Float64Array.from(times),
    values: Float64Array.from(values),
  })

  test('one is followed as long as it has no gap, then the other goes on', () => {
    const a = copy([0, 10, 20, 30, 100, 110], [1, 2, 3, 4, 11, 12])
    const b = copy(
      [5, 15, 25, 35, 45, 55, 65, 75, 85, 95, 105],
      [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5],
    )
    const merged = mergeReplicas([a, b])
    expect([...merged.timestampsMs]).toEqual([0, 10, 20, 30, 35, 45, 55, 65, 75, 85, 95, 105, 110])
    // A counter never steps back.
    for (let i = 1; i < merged.values.length; i++) expect(merged.values[i]).toBeGreaterThan(merged.values[i - 1])
  })

  test('equal copies are one', () => {
    const a = copy([1, 2, 3], [1, 2, 3])
    expect([...mergeReplicas([a, copy([1, 2, 3], [1, 2, 3])]).timestampsMs]).toEqual([1, 2, 3])
  })

  test('histograms go with their samples, whichever copy they come from', () => {
    const histogramOf = (count: number) => ({ count }) as unknown as Histogram
    const a = { ...copy([10, 20], [0, 0]), histograms: [histogramOf(1), histogramOf(2)] }
    const b = {
      ...copy([10, 20, 60, 70], [0, 0, 5, 0]),
      histograms: [histogramOf(1), histogramOf(2), undefined, histogramOf(4)],
    }
    const merged = mergeReplicas([a, b])
    expect([...merged.timestampsMs]).toEqual([10, 20, 60, 70])
    expect(Array.from({ length: 4 }, (_, i) => merged.histograms?.[i]?.count)).toEqual([1, 2, undefined, 4])
    expect(merged.values[2]).toBe(5)
  })

  test('staleness markers keep their bits', () => {
    const stale = Float64Array.from([1, 0])
    new Uint32Array(stale.buffer).set([2, 0x7ff00000], 2)
    const merged = mergeReplicas([{ timestampsMs: Float64Array.of(1, 2), values: stale }, copy([3], [1])])
    expect([...new Uint32Array(merged.values.slice(1, 2).buffer)]).toEqual([2, 0x7ff00000])
  })
})

describe('a source', () => {
  let source: TestCoordinator
  let front: TestCoordinator

  beforeAll(async () => {
    source = await startCoordinator({ yaml: 'self_scrape: off' })
    front = await startCoordinator({
      yaml: `self_scrape: off
remote_read:
  - { name: prom, url: "${source.url}/api/v1/read", replica_labels: [replica] }
  - { name: gone, url: "http://127.0.0.1:9/api/v1/read", required_matchers: { part: gone } }
`,
    })
    const samples = Array.from({ length: 20 }, (_, i) => [START_MS + i * 15_000, i] as const)
    await writeSeries(source.url, [
      { labels: { __name__: 'there', replica: 'a', site: 'x' }, samples },
      { labels: { __name__: 'both', replica: 'b' }, samples: samples.slice(10) },
    ])
    await writeSeries(front.url, [
      { labels: { __name__: 'both' }, samples: samples.slice(0, 10) },
      { labels: { __name__: 'both', part: 'gone' }, samples: samples.slice(0, 1) },
    ])
  })
  afterAll(async () => {
    await front.stop()
    await source.stop()
  })

  const ask = async (path: string, parameters: Record<string, string>) =>
    (await fetch(`${front.url}/api/v1/${path}?${new URLSearchParams(parameters)}`)).json() as Promise<Answer>

  test('is read, without its replica label, and goes on where the store ends', async () => {
    const there = await ask('query', { query: 'there', time: '1700000000' })
    expect(there.data.result).toEqual([{ metric: { __name__: 'there', site: 'x' }, value: [1_700_000_000, '0'] }])
    const both = await ask('query', { query: 'count_over_time(both{part=""}[10m])', time: '1700000300' })
    expect(both.data.result).toEqual([{ metric: {}, value: [1_700_000_300, '20'] }])
  })

  test('has its names in the lists', async () => {
    expect((await ask('label/__name__/values', {})).data).toEqual(['both', 'there'])
    expect((await ask('labels', { 'match[]': 'there' })).data).toEqual(['__name__', 'site'])
    expect((await ask('series', { 'match[]': 'there' })).data).toEqual([{ __name__: 'there', site: 'x' }])
  })

  test('that fails costs a warning that names it, not the answer', async () => {
    const answer = await ask('query', { query: 'both{part="gone"}', time: '1700000000' })
    expect(answer.data.result).toHaveLength(1)
    expect(answer.warnings).toHaveLength(1)
    expect(answer.warnings?.[0]).toMatch(/^source gone: .*its samples are missing/)
  })
})

describe('a read of several places', () => {
  /** A source that never answers, and says when it is given up. */
  function silent() {
    let isGivenUp = false
    const source = {
      name: 'far',
      isWanted: () => true,
      read: ({ signal }: SelectRequest) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => {
            isGivenUp = true
            reject(new Error('given up'))
          })
        }),
    } as unknown as RemoteSource
    return { source, isGivenUp: () => isGivenUp }
  }
  const local = (select: () => Promise<Partial<SelectResult>>) => ({ select }) as unknown as Queryable
  const request: SelectRequest = { matchers: [], startMs: 0, endMs: 1 }
  const nothing = { symbols: [], warnings: [], infos: ['of the store'], batches: (async function* () {})() }

  test('whose store answers with rolled-up columns says that sources were not asked', async () => {
    const { source, isGivenUp } = silent()
    const slices = [{ column: 'increase' }] as unknown as NonNullable<SelectResult['slices']>
    const merged = new MergedQueryable(
      local(async () => ({ ...nothing, slices })),
      [source],
    )
    expect((await merged.select(request)).infos).toEqual([
      'of the store',
      'sources not asked, since rolled-up samples answer: far',
    ])
    expect(isGivenUp()).toBe(true)
  })

  test('gives its sources up when the store fails, and when the caller does', async () => {
    const one = silent()
    const failing = new MergedQueryable(
      local(() => Promise.reject(new Error('no disk'))),
      [one.source],
    )
    await expect(failing.select(request)).rejects.toThrow('no disk')
    expect(one.isGivenUp()).toBe(true)

    const two = silent()
    const caller = new AbortController()
    const waiting = new MergedQueryable(
      local(async () => nothing),
      [two.source],
    )
    const answer = waiting.select({ ...request, signal: caller.signal })
    setTimeout(() => caller.abort(new Error('the client has gone')), 20)
    await expect(answer).rejects.toThrow('the client has gone')
    expect(two.isGivenUp()).toBe(true)
  })

  test('has every sample of the store, which one of each hour would not stand for', async () => {
    const temporary = await openTemporaryDatabase({ nowMs: START_MS })
    try {
      const namespace = temporary.database.namespace('default')
      const labels = { __name__: 'both' }
      const startMs = START_MS - 3_600_000
      const timesMs = Array.from({ length: 60 }, (_, i) => startMs + i * 60_000)
      // The greatest value came while the other replica was away.
      await namespace.appendSamples(
        timesMs.map((timestampMs, i) => ({ labels, timestampMs, value: i === 30 ? 100 : 1 })),
      )
      await temporary.database.flush()
      const others = [...timesMs.slice(0, 25), ...timesMs.slice(35)].map((timeMs) => timeMs - 1)
      const copy = { timestampsMs: Float64Array.from(others), values: new Float64Array(others.length).fill(2) }
      const source = {
        name: 'replica',
        isWanted: () => true,
        read: async () => [{ labels: Labels.from(labels), ...copy }],
      } as unknown as RemoteSource
      const queryable = new MergedQueryable(namespace, [source])
      const query = 'max_over_time(both[2h])'
      const { series } = await new Engine().instantQuery({ queryable, query, timeMs: START_MS })
      const found: number[] = []
      series.forEachSample(0, (_, value) => found.push(value))
      expect(found).toEqual([100])
    } finally {
      await temporary.remove()
    }
  })

  test('decodes a large answer in turns', async () => {
    const timeseries = Array.from({ length: 20_000 }, (_, i) => ({
      labels: [
        { name: '__name__', value: 'm' },
        { name: 'i', value: String(i) },
      ],
      samples: Array.from({ length: 5 }, (_, k) => ({ value: k, timestamp: k })),
    }))
    const bytes = readResponseCodec.encode({ results: [{ timeseries }] } as never).finish()
    let turns = 0
    const series = await decodeReadResponseInTurns(bytes, async () => {
      turns++
    })
    expect(series).toEqual(decodeReadResponse(bytes))
    expect(series).toHaveLength(20_000)
    expect(turns).toBe(10)
  })
})
