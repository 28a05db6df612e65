import { afterEach, describe, expect, it } from 'vitest'
import { writeAbsentAt } from './model/columns.js'
import type { Histogram } from './model/histogram.js'
import { Labels } from './model/labels.js'
import { halvesOf, isStaleAt, writeStaleAt } from './model/sample.js'
import type { Namespace } from './namespace.js'
import { openTemporaryDatabase, type TemporaryDatabase } from './testing/index.js'

const MINUTE = 60_000
const NOW = Date.UTC(2024, 0, 1)
const HOUR = NOW - 60 * MINUTE
const LABELS = Labels.from({ __name__: 'h' })

function histogramOf(count: number): Histogram {
  return {
    schema: 3,
    zeroThreshold: 0,
    zeroCount: 0,
    count,
    sum: count,
    counterResetHint: 'gauge',
    positiveSpans: [{ offset: 1, length: 1 }],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(count),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
    stale: false,
    integer: false,
  }
}

type Written = number | Histogram | 'stale' | 'absent'

let temporary: TemporaryDatabase | undefined
afterEach(async () => {
  await temporary?.remove()
  temporary = undefined
})

async function put(namespace: Namespace, column: 'last' | 'increase', windows: readonly Written[]): Promise<void> {
  const count = windows.length
  const [ref] = await namespace.resolveLabels([LABELS], column)
  const values = Float64Array.from(windows, (value) => (typeof value === 'number' ? value : 0))
  const halves = halvesOf(values)
  const places: number[] = []
  windows.forEach((value, i) => {
    if (value === 'stale') writeStaleAt(halves, i)
    if (value === 'absent') writeAbsentAt(halves, i)
    if (typeof value === 'object') places.push(i)
  })
  const { rejections } = await namespace.append({
    count,
    seriesRefs: new Uint32Array(count).fill(ref),
    timestampsMs: Float64Array.from(windows, (_, i) => HOUR + i * MINUTE),
    values,
    histograms: { sampleIndexes: Uint32Array.from(places), histograms: places.map((i) => windows[i] as Histogram) },
  })
  expect(rejections).toEqual([])
}

/** What stands in each window: a histogram as `h` and its count. */
async function read(namespace: Namespace, column: 'last' | 'increase' | 'min'): Promise<string[]> {
  const found: string[] = []
  const matchers = [{ name: '__name__', operator: '=', value: 'h' }] as const
  const { batches } = await namespace.select({ matchers, startMs: 0, endMs: NOW, column, exactColumn: true })
  for await (const { values, histograms } of batches) {
    const halves = halvesOf(values)
    values.forEach((value, i) => {
      const place = histograms?.sampleIndexes.indexOf(i) ?? -1
      found.push(
        place >= 0 ? `h${histograms!.histograms[place].count}` : isStaleAt(halves, i) ? 'stale' : String(value),
      )
    })
  }
  return found
}

describe('native histograms in a namespace with a resolution', () => {
  it.each([
    ['the head', []],
    ['a block below', ['before']],
    ['one block', ['after']],
    ['merged blocks', ['before', 'after']],
  ])('are replaced window by window, by floats, markers and nothing too: in %s', async (_, flushes) => {
    temporary = await openTemporaryDatabase({
      namespaces: { default: { retentionMs: Infinity }, '1m': { resolutionMs: MINUTE, retentionMs: Infinity } },
    })
    const { database } = temporary
    const namespace = database.namespace('1m')
    await put(namespace, 'last', [histogramOf(1), histogramOf(2), histogramOf(3), 'stale', 5, histogramOf(6)])
    await put(namespace, 'increase', [histogramOf(10)])
    if (flushes.includes('before')) await namespace.flush(Infinity)
    await put(namespace, 'last', [histogramOf(7), 'stale', 'absent', histogramOf(8), histogramOf(9), 10])
    if (flushes.includes('after')) await namespace.flush(Infinity)
    const wanted = ['h7', 'stale', 'h8', 'h9', '10']
    expect(await read(namespace, 'last')).toEqual(wanted)
    expect(await read(namespace, 'increase')).toEqual(['h10'])
    expect(await read(namespace, 'min')).toEqual([])
    const again = (await temporary.reopen()).namespace('1m')
    expect(await read(again, 'last')).toEqual(wanted)
    expect(await read(again, 'increase')).toEqual(['h10'])
  })

  it('are replaced by many series of one window, which are stored together', async () => {
    temporary = await openTemporaryDatabase({
      namespaces: { default: { retentionMs: Infinity }, '1m': { resolutionMs: MINUTE, retentionMs: Infinity } },
    })
    const namespace = temporary.database.namespace('1m')
    const all = [LABELS, ...Array.from({ length: 30 }, (_, i) => Labels.from({ __name__: 'other', i: String(i) }))]
    const count = all.length
    const window = async (written: number | 'absent') => {
      const values = new Float64Array(count).fill(written === 'absent' ? 0 : written)
      if (written === 'absent') writeAbsentAt(halvesOf(values), 0)
      const seriesRefs = await namespace.resolveLabels(all, 'last')
      await namespace.append({ count, seriesRefs, timestampsMs: new Float64Array(count).fill(HOUR), values })
    }
    await put(namespace, 'last', [histogramOf(1)])
    await window(7)
    expect(await read(namespace, 'last')).toEqual(['7'])
    await put(namespace, 'last', [histogramOf(2)])
    expect(await read(namespace, 'last')).toEqual(['h2'])
    await window('absent')
    expect(await read(namespace, 'last')).toEqual([])
    expect(await read((await temporary.reopen()).namespace('1m'), 'last')).toEqual([])
  })
})
