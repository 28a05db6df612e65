/**
 * Generated queries over a database answer what they answer over a plain store in memory, wherever the samples lie: in the
 * head, in sealed blocks, in both, and after a restart.
 */
import { type Histogram, halvesOf, type Labels, writeStaleAt } from '@varve/tsdb-core/model'
import type { Queryable } from '@varve/tsdb-core/query'
import { MemoryQueryable, openTemporaryDatabase, STALE } from '@varve/tsdb-core/testing'
import { describe, expect, test } from 'vitest'
import { EngineTarget, type ScriptStore } from '../scripts/engine-target.js'
import { generatedSeries } from '../testing/generated-data.js'
import { QueryGenerator } from '../testing/generated-query.js'
import { SeededRandom } from '../testing/random.js'
import { ask, differenceOfAnswers } from '../testing/same-answers.js'
import { Engine } from './engine.js'

const SEED = Number(process.env.SEED ?? 20261122)
const QUERIES = Number(process.env.QUERIES ?? 150)
const MINUTE_MS = 60_000
const START_MS = 30 * MINUTE_MS
const STEP_MS = MINUTE_MS
const END_MS = START_MS + 5 * STEP_MS
/** Ten-minute blocks, of which some end inside the windows of queries. */
const NAMESPACES = { default: { retentionMs: Number.POSITIVE_INFINITY, blockSizeMs: 10 * MINUTE_MS, shardCount: 2 } }

const random = new SeededRandom(SEED)
const data = generatedSeries(random, { startMs: 0, endMs: 50 * MINUTE_MS })

interface Sample {
  readonly labels: Labels
  readonly timestampMs: number
  readonly value?: number
  readonly histogram?: Histogram
}

/** All samples by time, as a store is given them. */
async function samplesByTime(): Promise<Sample[]> {
  const stale = new Float64Array(1)
  writeStaleAt(halvesOf(stale), 0)
  const samples: Sample[] = []
  const recorder: Pick<ScriptStore<typeof STALE>, 'append'> = {
    append(labels, timestampMs, value) {
      if (typeof value === 'object') samples.push({ labels, timestampMs, histogram: value })
      else samples.push({ labels, timestampMs, value: typeof value === 'number' ? value : stale[0] })
    },
  }
  await new EngineTarget(recorder as ScriptStore<typeof STALE>, STALE).load(data)
  return samples.sort((a, b) => a.timestampMs - b.timestampMs)
}

describe(`generated queries over a database (SEED=${SEED})`, () => {
  test('answer the same in the head, in blocks, in both and after a restart', { timeout: 120_000 }, async () => {
    const memory = new MemoryQueryable()
    await new EngineTarget(memory, STALE).load(data)
    const samples = await samplesByTime()
    const middle = samples.findIndex(({ timestampMs }) => timestampMs > 33 * MINUTE_MS)
    const temporary = await openTemporaryDatabase({ nowMs: 50 * MINUTE_MS, namespaces: NAMESPACES })
    const append = async (part: Sample[]) => {
      expect((await temporary.database.append(part)).rejections).toEqual([])
    }
    try {
      await append(samples.slice(0, middle))
      await temporary.database.flush()
      await append(samples.slice(middle))
      await expectSame('blocks and head', temporary.database, memory)
      await expectSame('reopened', await temporary.reopen(), memory)
      await temporary.database.flush()
      await expectSame('blocks', temporary.database, memory)
      await temporary.database.maintain()
      await expectSame('merged blocks', temporary.database, memory)
    } finally {
      await temporary.remove()
    }
  })

  test('answer the same in the head alone', { timeout: 120_000 }, async () => {
    const memory = new MemoryQueryable()
    await new EngineTarget(memory, STALE).load(data)
    const temporary = await openTemporaryDatabase({ nowMs: 50 * MINUTE_MS, namespaces: NAMESPACES })
    try {
      await temporary.database.append(await samplesByTime())
      await expectSame('head', temporary.database, memory)
    } finally {
      await temporary.remove()
    }
  })
})

async function expectSame(where: string, database: Queryable, memory: Queryable): Promise<void> {
  const generator = new QueryGenerator(random, { nativeHistograms: true, classicOnly: false, orderFree: true })
  const engine = new Engine()
  for (let i = 0; i < QUERIES; i++) {
    const query = generator.vector(3)
    const times = { startMs: START_MS, endMs: END_MS, stepMs: STEP_MS }
    const [one, other] = await Promise.all(
      [memory, database].map((queryable) => ask(() => engine.rangeQuery({ queryable, query, ...times }))),
    )
    expect([where, query, differenceOfAnswers(one, other)]).toEqual([where, query, undefined])
  }
}
