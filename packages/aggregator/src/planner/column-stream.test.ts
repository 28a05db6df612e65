import { Labels } from '@varve/tsdb-core/model'
import { openTemporaryDatabase } from '@varve/tsdb-core/testing'
import { expect, test } from 'vitest'
import { columnStream } from './column-stream.js'

const MINUTE = 60_000

test('does not hold what many series have beside it that it has not', async () => {
  const temporary = await openTemporaryDatabase({ nowMs: 100 * MINUTE })
  try {
    const { database } = temporary
    await database.createNamespace('1m', { resolutionMs: MINUTE, retentionMs: Infinity, columns: ['max'] })
    const windows = database.namespace('1m')
    const [ref] = await windows.resolveLabels([Labels.from({ __name__: 'm', i: '0' })], 'max')
    const one = { count: 1, seriesRefs: Uint32Array.of(ref), values: Float64Array.of(7) }
    await windows.append({ ...one, timestampsMs: Float64Array.of(50 * MINUTE) })
    await database.append(
      ['0', '1', '2'].map((i) => ({ labels: { __name__: 'm', i }, timestampMs: 61 * MINUTE, value: 1 })),
    )
    const matchers = [{ name: '__name__', operator: '=' as const, value: 'm' }]
    const common = {
      database,
      matchers,
      kind: 'max' as const,
      request: { matchers, startMs: 0, endMs: 99 * MINUTE },
      warnings: new Set<string>(),
    }
    const reads = [
      { ...common, namespace: '1m', resolutionMs: MINUTE, afterMs: 0, untilMs: 60 * MINUTE },
      { ...common, namespace: 'default', resolutionMs: 0, afterMs: 60 * MINUTE, untilMs: 90 * MINUTE },
    ]
    const seriesOf = async (sideSamplesPerSeries: number) => {
      const stream = await columnStream({ reads, main: 0, sideSamplesPerSeries, reusesBatches: false })
      if (stream === null) return null
      let count = 0
      for await (const { seriesCount } of stream.batches) count += seriesCount
      return count
    }
    expect(await seriesOf(120)).toBe(3)
    // One series of so many samples would do; three are raw.
    expect(await seriesOf(4 * 1024 * 1024)).toBeNull()
  } finally {
    await temporary.remove()
  }
})
