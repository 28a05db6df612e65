import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ByteWriter } from '../bytes/byte-writer.js'
import { nodeEnv } from '../env/node/index.js'
import type { CommitLogOptions, ReplayReport, SyncMode } from './commit-log.js'
import {
  RECORD_HEADER_SIZE_BYTES,
  RECORD_PAYLOAD_SIZE_BYTES_MAX,
  RecordType,
  SEGMENT_HEADER_SIZE_BYTES,
} from './format.js'
import { decodeNamespaceChange, encodeNamespaceChange } from './records.js'
import { verifyCommitLog } from './verify.js'
import { CommitLog } from './writer.js'

const env = nodeEnv()
let folder: string
let directory: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-log-'))
  directory = `${folder}/commit-log`
})
afterEach(async () => {
  for (const log of opened.splice(0)) await log.close()
  await rm(folder, { recursive: true })
})

const opened: CommitLog[] = []

const text = (value: string) => new TextEncoder().encode(value)

/** A record that decodes: a namespace of this name. */
const named = (name: string) => {
  const out = new ByteWriter()
  encodeNamespaceChange(out, { operation: 'put', namespaceId: 0, name, options: new Uint8Array() })
  return out.view()
}
const sizeOf = (name: string) => RECORD_HEADER_SIZE_BYTES + named(name).length

async function replayed(options: Partial<CommitLogOptions> = {}) {
  const log = await CommitLog.open({ env, directory, ...options })
  opened.push(log)
  const records: string[] = []
  const report: ReplayReport = await log.replay((record) => {
    const isNamed = record.type === RecordType.NamespaceChange
    records.push(isNamed ? decodeNamespaceChange(record.payload).name : new TextDecoder().decode(record.payload))
  })
  return { log, records, report }
}

/** A closed log with these records, each synced by itself. */
async function written(...records: string[]) {
  const { log } = await replayed()
  for (const record of records) await log.append(RecordType.NamespaceChange, [named(record)])
  return log
}

describe('the commit log', () => {
  it.each([1_000_000, 110])(
    'misses records cut off its end after a clean close (segments of %d bytes)',
    async (segmentSizeBytes) => {
      const { log } = await replayed({ segmentSizeBytes })
      // The second record fills a segment of 110 bytes, and no other is begun.
      for (const record of ['one', 'two']) await log.append(RecordType.NamespaceChange, [named(record)])
      await log.close()
      await truncate(`${directory}/000001.log`, SEGMENT_HEADER_SIZE_BYTES + sizeOf('one'))
      const { damages } = await verifyCommitLog(env.files, directory)
      expect(damages.map(({ message }) => message)).toEqual([expect.stringContaining('the end is missing')])
      const { records, report } = await replayed({ segmentSizeBytes })
      expect(records).toEqual(['one'])
      expect(report.damages).toHaveLength(1)
    },
  )

  it('lets deferred records wait for the next one, until it is told to write, or for a megabyte', async () => {
    const log = await written('first')
    const durable: string[] = []
    const defer = (name: string) =>
      log.appendDeferred(RecordType.NamespaceChange, [named(name)]).then(() => void durable.push(name))
    const before = log.counts.syncs
    const deferred = [defer('a'), defer('b')]
    for (let turn = 0; turn < 20; turn++) await env.clock.yield()
    expect(durable).toEqual([])
    await log.append(RecordType.NamespaceChange, [named('c')])
    expect(durable).toEqual(['a', 'b'])
    expect(log.counts.syncs).toBe(before + 1)

    deferred.push(defer('d'))
    log.writeDeferred()
    await Promise.all(deferred)
    const large = 'e'.repeat(600 * 1024)
    await Promise.all([defer(large), defer(large)])

    deferred.push(defer('f'))
    await log.close()
    await Promise.all(deferred)
    const { records } = await replayed()
    expect(records).toEqual(['first', 'a', 'b', 'c', 'd', large, large, 'f'])
  })

  it('gives back what was appended, in order, after a clean close and without one', async () => {
    const log = await written('one', '', 'three')
    await log.append(RecordType.Tombstones, [text('fo'), text('ur')])
    const unclosed = await replayed()
    expect(unclosed.records).toEqual(['one', '', 'three', 'four'])
    await log.close()
    const closed = await replayed()
    expect(closed.records).toEqual(['one', '', 'three', 'four'])
    expect(closed.report).toMatchObject({ damages: [], tornTailBytes: 0, recordCount: 4, segmentCount: 1 })
  })

  it('takes several records at once, or none of them', async () => {
    const { log } = await replayed()
    const record = (name: string) => ({ type: RecordType.NamespaceChange, parts: [named(name)] })
    await log.appendAll([record('one'), record('two')])
    const large = { type: RecordType.SampleBatch, parts: [new Uint8Array(RECORD_PAYLOAD_SIZE_BYTES_MAX + 1)] }
    await expect(log.appendAll([record('three'), large])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await log.appendAll([])
    expect((await replayed()).records).toEqual(['one', 'two'])
  })

  it('goes on after a reopening, in a new segment', async () => {
    await (await written('one')).close()
    const second = await written('two')
    await second.close()
    const { records, report } = await replayed()
    expect(records).toEqual(['one', 'two'])
    expect(report.segmentCount).toBe(2)
  })

  it.each<SyncMode>(['always', 'interval', 'never'])(
    'shares syncs between waiting callers, in mode %s',
    async (mode) => {
      const { log } = await replayed({ syncMode: mode })
      await Promise.all(Array.from({ length: 500 }, (_, i) => log.append(RecordType.SampleBatch, [text(String(i))])))
      expect(log.counts.syncs).toBeLessThan(5)
      await log.close()
      const { records } = await replayed()
      expect(records).toEqual(Array.from({ length: 500 }, (_, i) => String(i)))
    },
  )

  it('syncs by itself within the interval', async () => {
    const { log } = await replayed({ syncMode: 'interval', syncIntervalMs: 5 })
    await log.append(RecordType.SampleBatch, [text('in the first write')])
    await log.append(RecordType.SampleBatch, [text('x')])
    const before = log.counts.syncs
    while (log.counts.syncs === before) await new Promise((resolve) => setImmediate(resolve))
    await log.close()
  })

  it('divides by rotation and size, and removes whole segments', async () => {
    const { log } = await replayed({ segmentSizeBytes: 2000 })
    const early = log.append(RecordType.SampleBatch, [text('early')])
    const rotated = log.rotate()
    const late = log.append(RecordType.SampleBatch, [text('late')])
    await Promise.all([early, late])
    const segment = await rotated
    await log.removeBefore(segment)
    const found = await replayed()
    expect(found.records).toEqual(['late'])
    expect(found.report.damages).toEqual([])
    for (let i = 0; i < 10; i++) await log.append(RecordType.SampleBatch, [new Uint8Array(1000).fill(i)])
    expect(log.segments().length).toBe(5)
    await log.removeBefore(99)
    expect(log.segments().length).toBe(1)
    await log.close()
    const reopened = await written('last')
    expect(reopened.segments().at(-1)!.segment).toBe(7)
    await reopened.close()
  })

  it('refuses what it cannot take', async () => {
    const log = await CommitLog.open({ env, directory })
    await expect(log.append(RecordType.SampleBatch, [])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await log.replay(() => {})
    await expect(log.replay(() => {})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const large = new Uint8Array(RECORD_PAYLOAD_SIZE_BYTES_MAX / 2 + 1)
    await expect(log.append(RecordType.SampleBatch, [large, large])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await log.close()
    await log.close()
    await expect(log.append(RecordType.SampleBatch, [])).rejects.toMatchObject({ code: 'CLOSED' })
    expect(() => log.rotate()).toThrow(/closed/)
  })

  it('stops at an error of the one who applies, and tells how far it is', async () => {
    const { log } = await replayed()
    await log.append(RecordType.SampleBatch, [new Uint8Array(9 * 1024 * 1024)])
    await log.append(RecordType.SampleBatch, [new Uint8Array(3)])
    await log.close()
    const second = await CommitLog.open({ env, directory })
    const seen: number[] = []
    const failing = second.replay(
      async (record) => {
        await null
        if (record.payload.length === 3) throw new Error('no room')
      },
      { onProgress: ({ readBytes, totalBytes }) => seen.push(readBytes / totalBytes) },
    )
    await expect(failing).rejects.toThrow('no room')
    expect(seen.length).toBeGreaterThan(1)
    expect(seen.at(-1)).toBeGreaterThan(0.9)
  })
})

describe('a damaged commit log', () => {
  const firstPath = () => `${directory}/000001.log`

  it('ends where a crash cut the last write, and is whole again afterwards', async () => {
    await written('one', 'two', 'three')
    const whole = await readFile(firstPath())
    for (let size = whole.length - 1; size > whole.length - sizeOf('three'); size--) {
      await writeFile(firstPath(), whole.subarray(0, size))
      const torn = await verifyCommitLog(env.files, directory)
      expect(torn.tornTailBytes).toBe(size - (whole.length - sizeOf('three')))
      const { records, report } = await replayed()
      expect(records).toEqual(['one', 'two'])
      expect(report).toMatchObject({ damages: [], tornTailBytes: torn.tornTailBytes })
      expect(await verifyCommitLog(env.files, directory)).toMatchObject({ damages: [], tornTailBytes: 0 })
    }
  })

  it('in the middle loses that record alone, names the place and keeps a copy', async () => {
    await (await written('one', 'two', 'three', 'four')).close()
    const whole = await readFile(firstPath())
    const start = SEGMENT_HEADER_SIZE_BYTES + sizeOf('one')
    for (let bit = 0; bit < sizeOf('two') * 8; bit += 3) {
      const damaged = Uint8Array.from(whole)
      damaged[start + (bit >> 3)] ^= 1 << (bit & 7)
      await writeFile(firstPath(), damaged)
      await rm(`${directory}/quarantine`, { recursive: true, force: true })
      const { records, report } = await replayed()
      expect(records).toEqual(['one', 'three', 'four'])
      expect(report.damages).toMatchObject([
        { path: firstPath(), offset: start, sizeBytes: sizeOf('two'), sequenceFirst: 1 },
      ])
      expect(report.damages[0].message).toContain(`000001.log at byte ${start}: `)
      const copy = await readFile(report.damages[0].quarantinePath!)
      expect(Uint8Array.from(copy)).toEqual(damaged.subarray(start, start + sizeOf('two')))
    }
  })

  it('at its end is damage too when the log was closed or a later segment shows that it was whole', async () => {
    const log = await written('one', 'two')
    await log.close()
    const whole = await readFile(firstPath())
    await truncate(firstPath(), whole.length - 1)
    expect((await verifyCommitLog(env.files, directory)).damages).toMatchObject([{ sequenceFirst: 1, sequenceEnd: 2 }])
    await truncate(firstPath(), whole.length - sizeOf('two'))
    expect((await verifyCommitLog(env.files, directory)).damages).toMatchObject([{ sequenceFirst: 1, sequenceEnd: 2 }])
    await writeFile(firstPath(), whole)
    await (await written('three')).close()
    await truncate(firstPath(), whole.length - sizeOf('two'))
    const { records, report } = await replayed()
    expect(records).toEqual(['one', 'three'])
    expect(report.damages).toMatchObject([{ path: firstPath(), sequenceFirst: 1, sequenceEnd: 2 }])
  })

  it('whose close mark is damaged says so, and loses nothing', async () => {
    await (await written('one')).close()
    const path = `${directory}/closed`
    const whole = await readFile(path)
    for (let at = 0; at < whole.length; at++) {
      const damaged = Uint8Array.from(whole)
      damaged[at] ^= 1
      await writeFile(path, damaged)
      expect((await verifyCommitLog(env.files, directory)).damages).toMatchObject([{ path }])
    }
    await truncate(path, 5)
    const { records, report } = await replayed()
    expect(records).toEqual(['one'])
    expect(report.damages).toMatchObject([{ path, sequenceFirst: 0, sequenceEnd: 0 }])
  })

  it('is read by the other copy when one copy of a segment header is damaged', async () => {
    await (await written('one')).close()
    const whole = await readFile(firstPath())
    for (let at = 0; at < SEGMENT_HEADER_SIZE_BYTES; at++) {
      const damaged = Uint8Array.from(whole)
      damaged[at] ^= 0x40
      await writeFile(firstPath(), damaged)
      const { records, report } = await replayed()
      expect(records).toEqual(['one'])
      expect(report.damages).toMatchObject([{ offset: at < 32 ? 0 : 32 }])
    }
  })

  it('whose segment is another, or gone, says what is missing', async () => {
    for (const name of ['one', 'two', 'three']) await (await written(name)).close()
    const third = await readFile(`${directory}/000003.log`)
    const second = await readFile(`${directory}/000002.log`)
    await writeFile(`${directory}/000002.log`, third)
    const swapped = await replayed()
    expect(swapped.records).toEqual(['one', 'three'])
    expect(swapped.report.damages.map((damage) => damage.message)).toEqual([
      expect.stringContaining('it is segment 3'),
      expect.stringContaining('1 records lost, from 1 on'),
    ])
    await rm(`${directory}/000002.log`)
    const without = await replayed()
    expect(without.records).toEqual(['one', 'three'])
    expect(without.report.damages).toMatchObject([{ sequenceFirst: 1, sequenceEnd: 2 }])
    await writeFile(`${directory}/000002.log`, second)
    expect((await replayed()).report.damages).toEqual([])
  })
})
