/**
 * The two scanners side by side: the same columns, the same faults at the same offsets, the same predictions, whatever the
 * body. Skipped, and said so, where the native module is not built.
 */
import { describe, expect, it } from 'vitest'
import { decodeSnappyInto, encodeSnappy } from '../snappy/index.js'
import { seeded } from '../testing/seeded.js'
import { bodyV1, bodyV2, mutate, randomSeries } from '../testing/write-bodies.js'
import { FAULT } from '../wire-error.js'
import { LabelCache } from './label-cache.js'
import { nativeScanner } from './native-scanner.js'
import { EXTRA_STRIDE, STATUS, SYMBOL_STRIDE, UNKNOWN_STRIDE, WRITE_LIMITS, WriteColumns } from './write-columns.js'
import { Scratch, typescriptScanner, type WriteScanner } from './write-scanner.js'

const LIMITS = {
  ...WRITE_LIMITS,
  decodedSizeBytesMax: 1 << 16,
  sampleCountMax: 60,
  seriesCountMax: 40,
  extraCountMax: 30,
  symbolCountMax: 100,
  labelSizeBytesMax: 200,
  labelTotalMax: 60,
  idleFieldCountMax: 6,
}
const native = nativeScanner()

class Side {
  readonly scratch = new Scratch(LIMITS)
  readonly columns = new WriteColumns(LIMITS)
  readonly cache = new LabelCache({ seed: 5 })
  readonly scanner: WriteScanner

  constructor(scanner: WriteScanner) {
    this.scanner = scanner
  }

  /** All that a pipeline may look at, after one request. */
  scan(version: 1 | 2, body: Uint8Array, { decodesFirst = false } = {}): unknown {
    const { scratch, columns, cache } = this
    const decoded = { fault: 0, offset: 0, size: 0 }
    const isDecoded =
      decodesFirst && decodeSnappyInto(body, scratch.bytes, decoded, LIMITS.decodedSizeBytesMax) === FAULT.NONE
    const decodedSize = isDecoded ? decoded.size : undefined
    this.scanner.scan({ version, body, decodedSize, scratch, cache, columns, limits: LIMITS })
    const { status } = columns
    if (status[STATUS.FAULT] !== 0) return { status: [...status] }
    cache.lastEntry = status[STATUS.LAST_ENTRY]
    const rows = status[STATUS.SAMPLE_COUNT]
    const unknowns = columns.unknowns.slice(0, status[STATUS.UNKNOWN_COUNT] * UNKNOWN_STRIDE)
    const refs = columns.seriesRefs.slice(0, rows)
    for (let u = 0; u < unknowns.length; u += UNKNOWN_STRIDE) {
      refs.fill(0, unknowns[u + 2], unknowns[u + 2] + unknowns[u + 3]) // Nobody has written these.
      if (unknowns[u + 1] > 0 && unknowns[u + 1] <= LIMITS.labelSizeBytesMax) {
        cache.insert(scratch.bytes, unknowns[u], unknowns[u + 1], 1000 + cache.entryCount)
      }
    }
    return {
      status: [...status],
      refs: [...refs],
      timestamps: [...columns.timestampsMs.subarray(0, rows)],
      values: [...new BigUint64Array(columns.values.buffer, 0, rows)],
      starts: version === 2 ? [...columns.startTimestampsMs.subarray(0, rows)] : [],
      unknowns: [...unknowns],
      extras: [...columns.extras.subarray(0, status[STATUS.EXTRA_COUNT] * EXTRA_STRIDE)],
      symbols: [...columns.symbols.subarray(0, status[STATUS.SYMBOL_COUNT] * SYMBOL_STRIDE)],
      scratch: Buffer.from(scratch.bytes.subarray(0, status[STATUS.SCRATCH_END])).toString('hex'),
    }
  }
}

describe.skipIf(native === undefined)('native and TypeScript scanners (skipped without the native module)', () => {
  it.each([1, 2] as const)('agree on 10,000 bodies of remote write %d, most of them mutated', (version) => {
    const random = seeded(40 + version)
    const encode = version === 1 ? bodyV1 : bodyV2
    const bodies = Array.from({ length: 40 }, () => encode(randomSeries(random, 1 + random.below(30))))
    const ours = new Side(typescriptScanner)
    const twin = new Side(native as WriteScanner)
    let accepted = 0
    const faults = new Set<number>()
    for (let round = 0; round < 10_000; round++) {
      const body = bodies[random.below(bodies.length)]
      const plain = random.below(8) === 0 ? body : mutate(random, body, bodies[random.below(bodies.length)])
      let block = encodeSnappy(plain)
      if (random.below(10) === 0) block = mutate(random, block, body)
      const expected = ours.scan(version, block)
      const got = twin.scan(version, block, { decodesFirst: random.below(8) === 0 })
      if (JSON.stringify(got, bigints) !== JSON.stringify(expected, bigints)) {
        expect(got, `round ${round}: ${Buffer.from(block).toString('hex').slice(0, 4000)}`).toEqual(expected)
      }
      const fault = ours.columns.status[STATUS.FAULT]
      if (fault === FAULT.NONE) accepted++
      faults.add(fault)
    }
    expect(ours.cache.entryCount).toBeGreaterThan(100)
    expect(twin.cache.entries).toEqual(ours.cache.entries)
    expect(accepted).toBeGreaterThan(1000)
    for (const fault of [FAULT.TOO_MANY_IDLE_FIELDS, FAULT.TOO_MANY_LABELS, FAULT.GROUP])
      expect(faults).toContain(fault)
  })

  it('refuses columns that overlap', () => {
    const side = new Side(native as WriteScanner)
    Object.assign(side.columns, { timestampsMs: side.columns.values })
    expect(() => side.scan(1, encodeSnappy(new Uint8Array(0)))).toThrowError(/overlaps/)
  })
})

function bigints(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
