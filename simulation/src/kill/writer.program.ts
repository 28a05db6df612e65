/**
 * The process that is killed: opens a database, appends batch after batch, several at a time, seals and merges in
 * between, and prints the number of each batch once it was acknowledged.
 *
 *     node writer.mjs DIRECTORY START-MS FIRST-BATCH
 */
import { writeSync } from 'node:fs'
import { Database } from '@varve/tsdb-core'
import { BLOCK_SIZE_MS, bitsOfBatch, SERIES, SERIES_COUNT, timestampOf } from './batches.js'

const WRITERS = 4
const [directory, start, first] = process.argv.slice(2)
const startMs = Number(start)
let next = Number(first)

const openedAt = performance.now()
const database = await Database.open({
  directory,
  namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY, blockSizeMs: BLOCK_SIZE_MS } },
  segmentSizeBytes: 64 * 1024,
  maintenanceIntervalMs: 20,
  diskReserveBytes: 0,
})
writeSync(1, `open ${Math.round(performance.now() - openedAt)}\n`)
const namespace = database.namespace('default')
const seriesRefs = await namespace.resolveLabels(SERIES)

async function write(): Promise<never> {
  for (;;) {
    const batch = next++
    const timestampsMs = new Float64Array(SERIES_COUNT).fill(timestampOf(startMs, batch))
    const values = new Float64Array(bitsOfBatch(startMs, batch).buffer)
    await namespace.append({ count: SERIES_COUNT, seriesRefs, timestampsMs, values })
    // A synchronous write: what the parent reads was acknowledged before the kill.
    writeSync(1, `${batch}\n`)
    if (batch % 97 === 0) await database.flush()
  }
}

await Promise.all(Array.from({ length: WRITERS }, write))
