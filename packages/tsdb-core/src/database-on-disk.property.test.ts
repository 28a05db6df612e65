import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Database } from './database.js'
import { nodeEnv } from './env/node/index.js'
import { Labels } from './model/labels.js'
import type { DatabaseOptions } from './options.js'
import { readSamples } from './testing/read-samples.js'

const series = Array.from({ length: 6 }, (_, i) =>
  Labels.from({ __name__: i % 2 === 0 ? 'even' : 'odd', id: `${i}`, ...(i < 3 && { low: 'yes' }) }),
)
const ALL = [{ name: '__name__', operator: '=~', value: '.+' }] as const

type Command =
  | { kind: 'append'; samples: { series: number; time: number; bits: bigint }[] }
  | { kind: 'flush' }
  | { kind: 'reopen' }
  | { kind: 'maintain' }
  | { kind: 'delete'; id: number; startMs: number; endMs: number }

const sample = fc.record({
  series: fc.nat(series.length - 1),
  // Few times and few values, so that blocks contradict each other, and the order of D5 has to decide.
  time: fc.oneof(
    fc.nat(40).map((n) => n * 10_000),
    fc.nat(400_000),
  ),
  bits: fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.constantFrom(
      0x7ff0000000000002n,
      0x7ff8000000000001n,
      0xfff8000000000000n,
      0n,
      0x8000000000000000n,
      0x3ff0000000000000n,
      0xbff0000000000000n,
    ),
  ),
})
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      samples: fc.array(sample, { maxLength: 100, size: 'max' }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('flush' as const, 'reopen' as const, 'maintain' as const) }),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({
        kind: fc.constant('delete' as const),
        id: fc.nat(5),
        startMs: fc.nat(400_000),
        lengthMs: fc.nat(100_000),
      })
      .map(({ kind, id, startMs, lengthMs }) => ({ kind, id, startMs, endMs: startMs + lengthMs })),
  },
)

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('a database on disk', () => {
  it('holds what a plain map holds, through seals, merges, deletes and restarts', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 14, size: 'max' }), async (commands) => {
        await checkRun(commands, join(folder, `${run++}`))
      }),
      { numRuns: 25 },
    )
  })
})

async function checkRun(commands: readonly Command[], directory: string): Promise<void> {
  const env = nodeEnv()
  const notices: string[] = []
  const options: DatabaseOptions = {
    directory,
    env: { ...env, clock: { ...env.clock, wallMs: () => 400_000 } },
    namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY, blockSizeMs: 20_000 } },
    syncMode: 'never',
    maintenanceIntervalMs: 0,
    diskReserveBytes: 0,
    onNotice: (notice) => {
      if (notice.severity !== 'info') notices.push(notice.message)
    },
  }
  let database = await Database.open(options)
  const model = new Map<string, Map<number, bigint>>()
  for (const command of commands) {
    if (command.kind === 'flush') await database.flush()
    else if (command.kind === 'maintain') await database.maintain()
    else if (command.kind === 'reopen') {
      await database.close()
      database = await Database.open(options)
    } else if (command.kind === 'delete') {
      const matchers = [{ name: 'id', operator: '=', value: `${command.id}` }] as const
      await database.namespace('default').deleteSamples({ matchers, startMs: command.startMs, endMs: command.endMs })
      const samples = model.get(series[command.id].key)
      for (const time of samples?.keys() ?? []) {
        if (time >= command.startMs && time < command.endMs) samples?.delete(time)
      }
    } else await appendToBoth(database, model, command.samples)
    expect(await readSamples(database, { matchers: ALL, startMs: 0, endMs: 400_001 })).toEqual(
      readModel(model, 0, 400_001),
    )
  }
  expect(await readSamples(database, { matchers: ALL, startMs: 61_000, endMs: 200_500 })).toEqual(
    readModel(model, 61_000, 200_500),
  )
  await database.close()
  expect(notices.filter((notice) => !notice.includes('contradicted sealed ones'))).toEqual([])
}

async function appendToBoth(
  database: Database,
  model: Map<string, Map<number, bigint>>,
  samples: readonly { series: number; time: number; bits: bigint }[],
): Promise<void> {
  const namespace = database.namespace('default')
  const refs = await namespace.resolveLabels(series)
  const values = new Float64Array(samples.length)
  const bits = new BigUint64Array(values.buffer)
  samples.forEach((one, k) => {
    bits[k] = one.bits
  })
  const { rejections } = await namespace.append({
    count: samples.length,
    seriesRefs: Uint32Array.from(samples, (one) => refs[one.series]),
    timestampsMs: Float64Array.from(samples, (one) => one.time),
    values,
  })
  const refused = new Set(rejections.map((one) => one.sampleIndex))
  samples.forEach((one, k) => {
    const { key } = series[one.series]
    const held = model.get(key) ?? new Map<number, bigint>()
    model.set(key, held)
    const known = held.get(one.time)
    if (refused.has(k)) {
      if (known === undefined || known === one.bits) throw new Error(`sample ${k} was refused without a reason`)
      return
    }
    // What only a sealed block contradicts is settled by the total order of D5.
    if (known === undefined || isLess(known, one.bits)) held.set(one.time, one.bits)
  })
}

/** The order of DESIGN D5, spelled out: staleness marker < other NaN < numbers, larger wins. */
function isLess(a: bigint, b: bigint): boolean {
  const [x, y] = [rank(a), rank(b)]
  if (x !== y) return x < y
  if (x < 2) return a < b
  const [p, q] = [numberOf(a), numberOf(b)]
  return p !== q ? p < q : Object.is(p, -0) && !Object.is(q, -0)
}

function rank(bits: bigint): number {
  if (bits === 0x7ff0000000000002n) return 0
  return Number.isNaN(numberOf(bits)) ? 1 : 2
}

function numberOf(bits: bigint): number {
  return new Float64Array(BigUint64Array.of(bits).buffer)[0]
}

function readModel(model: Map<string, Map<number, bigint>>, startMs: number, endMs: number) {
  const wanted = new Map<string, { timestampMs: number; bits: bigint }[]>()
  for (const [key, samples] of model) {
    const inRange = [...samples].filter(([time]) => time >= startMs && time < endMs).sort((a, b) => a[0] - b[0])
    if (inRange.length > 0)
      wanted.set(
        key,
        inRange.map(([timestampMs, bits]) => ({ timestampMs, bits })),
      )
  }
  return wanted
}
