import { expect, test } from 'vitest'
import { Database } from './database.js'

test('a namespace that makes series without end costs the others none of theirs', async () => {
  const db = await Database.open({ newSeriesPerSecondMax: 10, namespaces: { default: {}, other: {} } })
  const timestampMs = Date.now()
  const series = (name: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({ labels: { __name__: name, i: String(i) }, timestampMs, value: i }))
  const bomb = db.namespace('default').appendSamples(series('bomb', 2_000))
  await expect(bomb).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', message: /newSeriesPerSecondMax 10/ })
  const { appendedCount } = await db.namespace('other').appendSamples(series('quiet', 50))
  expect(appendedCount).toBe(50)
  await db.close()
})
