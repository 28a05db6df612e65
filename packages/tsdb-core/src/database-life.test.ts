import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { CommitLog, RecordType } from './commit-log/index.js'
import { Database } from './database.js'
import { nodeEnv } from './env/node/index.js'
import { inspectBlock } from './inspect.js'
import { writeAbsentAt } from './model/columns.js'
import type { Histogram } from './model/histogram.js'
import { Labels } from './model/labels.js'
import { halvesOf } from './model/sample.js'
import type { Namespace } from './namespace.js'
import type { DatabaseOptions } from './options.js'
import { FakeClock, openTemporaryDatabase, readSamples, type TemporaryDatabase } from './testing/index.js'
import { verifyDatabase } from './verify.js'

const HOUR = 3_600_000
const NOW = Date.UTC(2024, 0, 1)
const ALL = [{ name: '__name__', operator: '=~', value: '.+' }] as const
const RANGE = { matchers: ALL, startMs: 0, endMs: Number.MAX_SAFE_INTEGER }

let temporary: TemporaryDatabase | undefined
afterEach(async () => {
  await temporary?.remove()
  temporary = undefined
})
async function open(options: Omit<DatabaseOptions, 'directory' | 'env'> = {}): Promise<TemporaryDatabase> {
  temporary = await openTemporaryDatabase(options)
  return temporary
}

const up = (instance: string) => ({ __name__: 'up', instance })
async function countOf(queryable: Parameters<typeof readSamples>[0]): Promise<number> {
  let count = 0
  for (const samples of (await readSamples(queryable, RANGE)).values()) count += samples.length
  return count
}

describe('retention', () => {
  it('refuses what is too old or too far ahead, sample by sample', async () => {
    const { database } = await open({ namespaces: { default: { retentionMs: HOUR } } })
    const result = await database.append([
      { labels: up('a'), timestampMs: NOW - HOUR - 1, value: 1 },
      { labels: up('a'), timestampMs: NOW - HOUR, value: 1 },
      { labels: up('b'), timestampMs: NOW + 600_001, value: 1 },
      { labels: up('b'), timestampMs: NOW + 600_000, value: 1 },
    ])
    expect(result).toEqual({
      appendedCount: 2,
      rejections: [
        { sampleIndex: 0, reason: 'TOO_OLD' },
        { sampleIndex: 2, reason: 'TOO_FAR_AHEAD' },
      ],
    })
  })

  it('removes blocks that have expired, but not when the clock jumps', async () => {
    const { database, clock } = await open({ namespaces: { default: { retentionMs: 4 * HOUR } } })
    await database.append([{ labels: up('a'), timestampMs: NOW - 1, value: 1 }])
    await database.flush()
    clock.advance(365 * 24 * HOUR)
    await database.maintain()
    expect(await countOf(database)).toBe(1)
    // Hours later the clock has been even for long, and newer samples say the same.
    await database.append([{ labels: up('a'), timestampMs: clock.wallMs(), value: 1 }])
    clock.advance(HOUR)
    await database.maintain()
    expect(await countOf(database)).toBe(1)
    expect(database.stats().namespaces.get('default')?.sealedBlockCount).toBe(0)
  })

  it('holds in memory too', async () => {
    const clock = new FakeClock(NOW)
    const database = await Database.open({
      env: { ...nodeEnv(), clock },
      namespaces: { default: { retentionMs: 4 * HOUR } },
      maintenanceIntervalMs: 1000,
    })
    await database.append([{ labels: up('a'), timestampMs: NOW - 1, value: 1 }])
    clock.advance(10 * HOUR)
    await database.append([{ labels: up('b'), timestampMs: clock.wallMs(), value: 1 }])
    expect(await countOf(database)).toBe(2)
    clock.advance(1000)
    await clock.yield()
    expect(await countOf(database)).toBe(1)
    await database.close()
  })

  it('keeps the newest blocks within a size', async () => {
    const { database, directory } = await open({ namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } } })
    for (let k = 0; k < 3; k++) {
      await database.append([{ labels: up('a'), timestampMs: k * 1000 * HOUR, value: k }])
      await database.flush()
    }
    expect(await readdir(join(directory, 'namespaces/default/0'))).toHaveLength(3)
    await database.changeNamespace('default', { retentionSizeBytes: 700 })
    await database.maintain()
    const [samples] = (await readSamples(database, RANGE)).values()
    expect(samples.at(-1)?.timestampMs).toBe(2000 * HOUR)
    expect(samples.length).toBeLessThan(3)
  })

  it('merges the small blocks of a long history into large ones', async () => {
    const { database, directory } = await open({ namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } } })
    const namespace = database.namespace('default')
    const [ref] = await namespace.resolveLabels([Labels.from(up('a'))])
    const count = 12 * 24 * 4
    await namespace.append({
      count,
      seriesRefs: new Uint32Array(count).fill(ref),
      timestampsMs: Float64Array.from({ length: count }, (_, k) => k * 15 * 60_000),
      values: Float64Array.from({ length: count }, (_, k) => k),
    })
    await database.flush()
    const files = await readdir(join(directory, 'namespaces/default/0'))
    expect(files.length).toBeLessThan(12)
    expect(await countOf(database)).toBe(count)
    expect((await verifyDatabase({ directory })).problems).toEqual([])
  })
})

describe('namespaces', () => {
  it('are created, changed and deleted while running, and are there after a restart', async () => {
    const world = await open()
    await world.database.createNamespace('1m_90d', {
      resolutionMs: 60_000,
      retentionMs: 90 * 24 * HOUR,
      columns: ['max'],
    })
    await world.database.createNamespace('gone')
    await world.database.namespace('gone').appendSamples([{ labels: up('a'), timestampMs: NOW, value: 1 }])
    await world.database.changeNamespace('1m_90d', { retentionMs: HOUR })
    await world.database.deleteNamespace('gone')
    expect(await readdir(join(world.directory, 'namespaces'))).toEqual(['1m_90d', 'default'])
    const database = await world.reopen()
    expect(database.namespaces()).toEqual(['1m_90d', 'default'])
    expect(database.namespace('1m_90d').options).toMatchObject({
      retentionMs: HOUR,
      columns: ['max'],
      blockSizeMs: 12 * HOUR,
    })
    await expect(database.changeNamespace('1m_90d', { blockSizeMs: HOUR })).rejects.toThrow(/blockSizeMs is 43200000/)
    await expect(database.deleteNamespace('default')).rejects.toThrow(/cannot be deleted/)
  })

  it('with a resolution keep columns beside each other, and a newer computation replaces a window', async () => {
    const world = await open({ namespaces: { '1m': { resolutionMs: 60_000, columns: ['max', 'sum', 'count'] } } })
    const fill = async (namespace: Namespace, factor: number, removed = -1) => {
      const labels = [Labels.from(up('a'))]
      for (const [column, value] of [
        ['max', 5],
        ['sum', 9],
        ['count', 2],
      ] as const) {
        const [ref] = await namespace.resolveLabels(labels, column)
        const values = Float64Array.of(value * factor, value * factor)
        if (removed >= 0) writeAbsentAt(halvesOf(values), removed)
        await namespace.append({
          count: 2,
          seriesRefs: Uint32Array.of(ref, ref),
          timestampsMs: Float64Array.of(NOW - 120_000, NOW - 60_000),
          values,
        })
      }
    }
    const read = async (namespace: Namespace, column: 'max' | 'sum' | 'min') => {
      const { batches } = await namespace.select({ ...RANGE, column, counts: column === 'sum' })
      const found: { values: number[]; counts: number[] | undefined }[] = []
      for await (const batch of batches) {
        found.push({ values: [...batch.values], counts: batch.counts && [...batch.counts] })
      }
      return found
    }
    await fill(world.database.namespace('1m'), 1)
    await world.database.flush()
    await fill(world.database.namespace('1m'), 10)
    expect(await read(world.database.namespace('1m'), 'max')).toEqual([{ values: [50, 50], counts: undefined }])
    expect(await read(world.database.namespace('1m'), 'sum')).toEqual([{ values: [90, 90], counts: [20, 20] }])
    await world.database.flush()
    await fill(world.database.namespace('1m'), 1, 0)
    for (const step of ['head', 'restart', 'sealed']) {
      if (step === 'restart') await world.reopen()
      if (step === 'sealed') await world.database.flush()
      expect(await read(world.database.namespace('1m'), 'max'), step).toEqual([{ values: [5], counts: undefined }])
      expect(await read(world.database.namespace('1m'), 'min'), step).toEqual([])
    }
  })

  it('commit a watermark with the samples of its window', async () => {
    const world = await open({ namespaces: { '1m': { resolutionMs: 60_000 } } })
    const namespace = world.database.namespace('1m')
    const [ref] = await namespace.resolveLabels([Labels.from(up('a'))])
    const batch = {
      count: 1,
      seriesRefs: Uint32Array.of(ref),
      timestampsMs: Float64Array.of(NOW),
      values: Float64Array.of(1),
    }
    await namespace.append(batch, { watermarks: [{ policy: '1m 90d', shard: 3, timestampMs: NOW }] })
    await namespace.append({ ...batch, count: 0 }, { watermarks: [{ policy: 'b', shard: 0, timestampMs: 7 }] })
    expect((await world.reopen()).watermark('1m 90d', 3)).toBe(NOW)
    await world.database.flush()
    await world.reopen()
    expect(world.database.watermark('b', 0)).toBe(7)
    expect(world.database.watermark('b', 1)).toBeUndefined()
  })

  it('with several shards answer as with one', async () => {
    const world = await open({ namespaces: { sharded: { shardCount: 3 } } })
    const samples = Array.from({ length: 40 }, (_, k) => ({ labels: up(`host-${k}`), timestampMs: NOW - k, value: k }))
    const namespace = world.database.namespace('sharded')
    await namespace.appendSamples(samples)
    await world.database.append(samples)
    const request = { matchers: ALL, startMs: 0, endMs: NOW + 1 }
    expect(await readSamples(namespace, RANGE)).toEqual(await readSamples(world.database, RANGE))
    expect((await namespace.labelValues('instance', request)).values).toEqual(
      (await world.database.labelValues('instance', request)).values,
    )
    const late = await namespace.appendSamples([...samples.map((one) => ({ ...one, value: -1 }))])
    expect(late.rejections).toHaveLength(40)
    const [ref] = await namespace.resolveLabels([Labels.from(up('host-7'))])
    expect(namespace.labelsOf(ref)?.get('instance')).toBe('host-7')
    await world.reopen()
    expect(await countOf(world.database.namespace('sharded'))).toBe(40)
  })
})

describe('series', () => {
  it('are told when they come, when samples are stored, and when they go', async () => {
    const { database, clock } = await open()
    const namespace = database.namespace('default')
    const told: string[] = []
    namespace.observe({
      seriesCreated: (refs) => told.push(`created ${refs.length}`),
      samplesStored: (_refs, times, count) => told.push(`stored ${count} from ${times[0] - NOW}`),
      seriesEvicted: (refs) => told.push(`evicted ${refs.length}`),
    })
    const refs = await namespace.resolveLabels([Labels.from(up('a')), Labels.from(up('b'))])
    const append = (ref: number, timestampMs: number) =>
      namespace.append({
        count: 1,
        seriesRefs: Uint32Array.of(ref),
        timestampsMs: Float64Array.of(timestampMs),
        values: Float64Array.of(1),
      })
    await append(refs[0], NOW - 5)
    await append(refs[1], NOW - 5)
    await database.flush()
    clock.advance(3 * HOUR)
    await append(refs[1], clock.wallMs())
    expect(told).toEqual(['created 2', 'stored 1 from -5', 'stored 1 from -5', `stored 1 from ${3 * HOUR}`])
    expect([...namespace.headSeries()]).toEqual([...refs])
    clock.advance(3 * HOUR)
    await append(refs[1], clock.wallMs())
    await database.flush()
    expect(told.at(-1)).toBe('evicted 2')
    expect((await append(refs[0], clock.wallMs())).rejections).toEqual([{ sampleIndex: 0, reason: 'UNKNOWN_SERIES' }])
    const [again] = await namespace.resolveLabels([Labels.from(up('a'))])
    expect(refs).not.toContain(again)
    expect(await countOf(database)).toBe(4)
  })

  it('are limited in number and in rate', async () => {
    const { database } = await open({ seriesCountMax: 3 })
    const labels = Array.from({ length: 4 }, (_, k) => Labels.from(up(`${k}`)))
    await expect(database.namespace('default').resolveLabels(labels)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    expect(database.namespace('default').headSeries()).toHaveLength(3)
  })
})

describe('the memory budget', () => {
  it('refuses appends by name before it is exceeded, and lets them go on after a flush', async () => {
    const { database } = await open({ memoryBytesMax: 2_000_000 })
    const namespace = database.namespace('default')
    const append = async (round: number) => {
      const refs = await namespace.resolveLabels(
        Array.from({ length: 2000 }, (_, k) => Labels.from({ __name__: 'm', k: `${k}`, round: `${round}` })),
      )
      await namespace.append({
        count: 2000,
        seriesRefs: refs,
        timestampsMs: new Float64Array(2000).fill(NOW - round),
        values: new Float64Array(2000),
      })
      database.stats()
    }
    await append(0)
    await expect(append(1).then(() => append(2))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('a log record that cannot be read, though its checksum is right', () => {
  it('is told and left out; the rest is served', async () => {
    const world = await open()
    await world.database.append([{ labels: up('a'), timestampMs: NOW - 2, value: 1 }])
    await world.database.close()
    const env = nodeEnv()
    const log = await CommitLog.open({ env, directory: `${world.directory}/commit-log` })
    await log.replay(() => undefined)
    await log.append(RecordType.SampleBatch, [Uint8Array.of(1, 2, 3)])
    await log.close()
    const notices: string[] = []
    const database = await Database.open({
      directory: world.directory,
      env: { ...env, clock: world.clock },
      diskReserveBytes: 0,
      onNotice: ({ severity, message }) => notices.push(`${severity}: ${message}`),
    })
    expect(await countOf(database)).toBe(1)
    expect(notices).toEqual([expect.stringMatching(/^error: a record of segment \d+ cannot be read: /)])
    await database.close()
  })
})

describe('a sample that contradicts a stored one', () => {
  const sample = (value: number) => ({ labels: up('a'), timestampMs: NOW - 1, value })

  it('is refused while the head can see it', async () => {
    const { database } = await open()
    await database.append([sample(2)])
    expect((await database.append([sample(1), sample(2)])).rejections).toEqual([
      { sampleIndex: 0, reason: 'DUPLICATE' },
    ])
    expect(database.stats().namespaces.get('default')).toMatchObject({
      rejectedSampleCount: 1,
      conflictingSampleCount: 0,
    })
  })

  it.each([
    [2, 1],
    [1, 2],
  ])('is counted when only a sealed block has the other (%d, then %d), and the larger stays', async (first, second) => {
    const notices: string[] = []
    const { database } = await open({ onNotice: ({ message }) => notices.push(message) })
    await database.append([sample(first)])
    await database.flush()
    expect((await database.append([sample(second)])).rejections).toEqual([])
    await database.flush()
    expect(database.stats().namespaces.get('default')?.conflictingSampleCount).toBe(1)
    expect(notices).toEqual([expect.stringMatching(/^namespace default, 2023-12-31T22:.*: 1 samples contradicted/)])
    const [[only]] = [...(await readSamples(database, RANGE)).values()]
    expect(new Float64Array(BigUint64Array.of(only.bits).buffer)[0]).toBe(2)
    // The same value again is no contradiction.
    await database.append([sample(2)])
    await database.flush()
    expect(database.stats().namespaces.get('default')?.conflictingSampleCount).toBe(1)
  })
})

describe('the range of what is held', () => {
  it('does not count deleted samples once they are merged away', async () => {
    const { database } = await open()
    const at = (timestampMs: number) => ({ labels: up('a'), timestampMs, value: 1 })
    await database.append([at(NOW - 5 * HOUR), at(NOW - HOUR), at(NOW - 1)])
    await database.flush()
    const range = () => {
      const stats = database.stats().namespaces.get('default')
      return [stats?.firstMs, stats?.lastMs]
    }
    expect(range()).toEqual([NOW - 5 * HOUR, NOW - 1])
    for (const [startMs, endMs] of [
      [0, NOW - 2 * HOUR],
      [NOW - 1, NOW],
    ]) {
      await database.namespace('default').deleteSamples({ matchers: ALL, startMs, endMs })
    }
    await database.flush()
    expect(range()).toEqual([NOW - HOUR, NOW - HOUR])
  })
})

describe('a clock that is wrong', () => {
  it('of one series does not shut out others', async () => {
    const { database } = await open()
    const ahead = { labels: up('ahead'), timestampMs: NOW + 600_000, value: 1 }
    const behind = { labels: up('behind'), timestampMs: NOW - 15 * 24 * HOUR, value: 1 }
    expect((await database.append([ahead, { ...ahead, timestampMs: NOW + 600_001 }])).appendedCount).toBe(1)
    expect((await database.append([behind, { labels: up('right'), timestampMs: NOW, value: 1 }])).rejections).toEqual(
      [],
    )
    expect((await database.append([{ ...ahead, timestampMs: NOW - HOUR }])).rejections).toEqual([])
  })
})

describe('a snapshot', () => {
  it('is a whole database of its own', async () => {
    const { database, directory } = await open()
    await database.append([{ labels: up('a'), timestampMs: NOW, value: 1 }])
    await database.snapshot(`${directory}/copy`)
    await database.append([{ labels: up('a'), timestampMs: NOW + 1, value: 2 }])
    const copy = await Database.open({ directory: `${directory}/copy`, diskReserveBytes: 0 })
    expect(await countOf(copy)).toBe(1)
    await copy.close()
    expect((await verifyDatabase({ directory: `${directory}/copy` })).problems).toEqual([])
  })
})

describe('histograms and start timestamps', () => {
  it('come back through head, log and blocks', async () => {
    const world = await open()
    const histogram: Histogram = {
      schema: 1,
      zeroThreshold: 0.001,
      zeroCount: 2,
      count: 9,
      sum: 12.5,
      counterResetHint: 'unknown',
      positiveSpans: [{ offset: -1, length: 2 }],
      negativeSpans: [],
      positiveBuckets: Float64Array.of(3, 4),
      negativeBuckets: new Float64Array(0),
      customValues: new Float64Array(0),
      stale: false,
      integer: true,
    }
    await world.database.append([
      { labels: up('a'), timestampMs: NOW - 3, value: 1, startTimestampMs: NOW - 1000 },
      { labels: up('a'), timestampMs: NOW - 2, histogram },
      { labels: up('a'), timestampMs: NOW - 1, value: 3 },
    ])
    for (const step of ['head', 'restart', 'sealed', 'sealed and restarted']) {
      if (step.includes('restart')) await world.reopen()
      if (step === 'sealed') await world.database.flush()
      const { batches } = await world.database.select(RANGE)
      for await (const batch of batches) {
        expect([...batch.values], step).toEqual([1, 0, 3])
        expect([...(batch.startTimestampsMs ?? [])], step).toEqual([NOW - 1000, 0, 0])
        expect([...(batch.histograms?.sampleIndexes ?? [])], step).toEqual([1])
        expect(batch.histograms?.histograms[0], step).toEqual(histogram)
      }
    }
  })
})

describe('a block file', () => {
  async function sealed(): Promise<TemporaryDatabase & { path: string }> {
    const world = await open()
    const samples = Array.from({ length: 60 }, (_, k) => ({
      labels: up(k % 2 === 0 ? 'a' : 'b'),
      timestampMs: NOW - HOUR + k * 1000,
      value: Math.sin(k),
    }))
    await world.database.append(samples)
    await world.database.flush()
    const folder = join(world.directory, 'namespaces/default/0')
    const [name] = await readdir(folder)
    return Object.assign(world, { path: join(folder, name) })
  }

  it('tells what is in it', async () => {
    const { path } = await sealed()
    const inspection = await inspectBlock(path)
    expect(inspection).toMatchObject({ namespace: 'default', seriesCount: 2, sampleCount: 60, firstMs: NOW - HOUR })
    expect(inspection.metrics).toEqual([expect.objectContaining({ name: 'up', seriesCount: 2, sampleCount: 60 })])
    expect(inspection.fileSizeBytes).toBe((await stat(path)).size)
  })

  it('with any byte damaged gives no wrong answer', async () => {
    const world = await sealed()
    const { path, directory } = world
    const wanted = await readSamples(world.database, RANGE)
    const intact = await readFile(path)
    await world.database.close()
    for (let byte = 0; byte < intact.length; byte += 97) {
      const damaged = Buffer.from(intact)
      damaged[byte] ^= 1 << (byte % 8)
      await writeFile(path, damaged)
      const report = await verifyDatabase({ directory })
      expect(report.problems[0], `byte ${byte}`).toContain(path)
      const database = await Database.open({
        directory,
        diskReserveBytes: 0,
        maintenanceIntervalMs: 0,
        syncMode: 'never',
      })
      for (const [key, samples] of await readSamples(database, RANGE)) expect(samples).toEqual(wanted.get(key))
      await database.close()
    }
    await writeFile(path, intact)
    await world.reopen()
    expect(await readSamples(world.database, RANGE)).toEqual(wanted)
  })

  it('with damage is told of by a notice, once and not by each query', async () => {
    const world = await sealed()
    const intact = await readFile(world.path)
    await world.database.close()
    intact[12] ^= 1
    intact[Math.floor(intact.length / 2)] ^= 1
    await writeFile(world.path, intact)
    const notices: string[] = []
    const database = await Database.open({
      directory: world.directory,
      diskReserveBytes: 0,
      maintenanceIntervalMs: 0,
      onNotice: ({ severity, message }) => notices.push(`${severity}: ${message}`),
    })
    for (let query = 0; query < 3; query++) await readSamples(database, RANGE)
    await database.close()
    expect(notices.filter((notice) => notice.startsWith('error') && notice.includes(world.path))).toHaveLength(1)
  })

  it('cut off anywhere is reported, and the rest is served', async () => {
    const world = await sealed()
    const intact = await readFile(world.path)
    await world.database.append([{ labels: up('c'), timestampMs: NOW, value: 1 }])
    for (let length = 0; length < intact.length; length += 61) {
      await world.database.close()
      await writeFile(world.path, intact)
      await truncate(world.path, length)
      expect((await verifyDatabase({ directory: world.directory })).problems).toHaveLength(1)
      await world.reopen()
      const result = await world.database.select(RANGE)
      let count = 0
      for await (const batch of result.batches) count += batch.values.length
      expect(count).toBe(1)
      expect(result.warnings.join()).toContain(world.path)
    }
  })

  it('has a digest that depends on the samples alone', async () => {
    const digests: string[] = []
    for (const order of ['forward', 'backward', 'twice']) {
      const world = await openTemporaryDatabase({ namespaces: { default: { shardCount: 1 } } })
      const samples = Array.from({ length: 200 }, (_, k) => ({
        labels: up(k % 3 === 0 ? 'a' : 'b'),
        timestampMs: NOW - HOUR + k * 500,
        value: k / 10,
      }))
      if (order === 'backward') samples.reverse()
      await world.database.append(samples.slice(0, 90))
      if (order === 'twice') await world.database.flush()
      await world.database.append(samples)
      await world.database.flush()
      const folder = join(world.directory, 'namespaces/default/0')
      const [name] = await readdir(folder)
      digests.push((await inspectBlock(join(folder, name))).digest)
      await world.remove()
    }
    expect(new Set(digests).size).toBe(1)
  })
})

describe('a data folder', () => {
  it('belongs to one database at a time', async () => {
    const { directory } = await open()
    await expect(Database.open({ directory })).rejects.toMatchObject({ code: 'LOCKED' })
  })

  it('with a damaged manifest finds its blocks again', async () => {
    const world = await open()
    await world.database.append([{ labels: up('a'), timestampMs: NOW, value: 1 }])
    await world.database.flush()
    await world.database.close()
    const path = join(world.directory, 'namespaces/default/manifest')
    const bytes = await readFile(path)
    bytes[20] ^= 1
    await writeFile(path, bytes)
    expect((await verifyDatabase({ directory: world.directory })).problems[0]).toContain(path)
    expect(await countOf(await world.reopen())).toBe(1)
    expect((await verifyDatabase({ directory: world.directory })).problems).toEqual([])
  })
})

describe('the commit log', () => {
  it('is kept within its size by sealing the blocks that need its oldest part', async () => {
    const world = await open({
      logSizeBytesMax: 20_000,
      namespaces: { '1h': { resolutionMs: 3_600_000 }, default: { retentionMs: 1e12 } },
    })
    const { database, clock } = world
    await database.namespace('1h').appendSamples([{ labels: up('a'), timestampMs: NOW, value: 1 }])
    for (let hour = 0; hour < 12; hour++) {
      const samples = Array.from({ length: 500 }, (_, k) => ({
        labels: up('a'),
        timestampMs: clock.wallMs() + k,
        value: Math.sin(k),
      }))
      await database.append(samples)
      clock.advance(HOUR)
      await database.maintain()
    }
    expect(database.stats().logSizeBytes).toBeLessThan(30_000)
    expect(database.stats().namespaces.get('1h')?.openBlockCount).toBe(0)
    await world.reopen()
    expect(await countOf(world.database)).toBe(6000)
    expect(await countOf(world.database.namespace('1h'))).toBe(1)
  })
})
