import { afterEach, beforeEach, expect, it } from 'vitest'
import { Labels } from './model/labels.js'
import type { Namespace } from './namespace.js'
import { openTemporaryDatabase, readSamples, type TemporaryDatabase } from './testing/index.js'

const MINUTE = 60_000
const NOW = Date.UTC(2024, 0, 1)
const [A, B] = ['a', 'b'].map((name) => Labels.from({ __name__: name }))

let temporary: TemporaryDatabase
let namespace: Namespace
beforeEach(async () => {
  temporary = await openTemporaryDatabase({
    nowMs: NOW,
    namespaces: {
      default: { retentionMs: Infinity },
      '1m': { resolutionMs: MINUTE, retentionMs: Infinity },
    },
  })
  namespace = temporary.database.namespace('1m')
})
afterEach(() => temporary.remove())

function append(timestampMs: number, seriesRefs: readonly number[], masks: readonly number[]) {
  const values = Float64Array.from(seriesRefs, (_, i) => i + 1)
  return namespace.appendWindow({
    timestampMs,
    count: seriesRefs.length,
    seriesRefs: Uint32Array.from(seriesRefs),
    masks: Uint8Array.from(masks),
    columns: [{ column: 'last', values }],
  })
}

it('a reference of no series is told, and no other series gets its value', async () => {
  const [a] = await namespace.resolveLabels([A])
  expect(await append(NOW - 2 * MINUTE, [a, 0, 0], [1, 1, 1])).toMatchObject({ appendedCount: 1, unknown: [1, 2] })
  const [b] = await namespace.resolveLabels([B])
  expect(await append(NOW - MINUTE, [a, b], [1, 1])).toMatchObject({ appendedCount: 2, unknown: [] })
  const matchers = [{ name: '__name__', operator: '=', value: 'b' }] as const
  const request = { matchers, startMs: 0, endMs: NOW, column: 'last', exactColumn: true } as const
  const found = await readSamples(namespace, request)
  expect(found.get(B.key)?.map(({ timestampMs }) => timestampMs)).toEqual([NOW - MINUTE])
})

it('a series without a value in the window is not declared in the log', async () => {
  const [a] = await namespace.resolveLabels([A])
  await append(NOW - MINUTE, [a, 0], [1, 0])
  await temporary.reopen()
  namespace = temporary.database.namespace('1m')
  const labels = Array.from(namespace.headSeries(), (ref) => String(namespace.labelsOf(ref)))
  expect(labels).toEqual([String(A)])
})
