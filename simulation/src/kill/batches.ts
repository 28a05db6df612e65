/** What the process that is killed writes, and what is looked for afterwards: batch b is one sample of each series. */
import { Labels } from '@varve/tsdb-core/model'
import { bitsOf } from '../fleet.js'

export const SERIES_COUNT = 20
export const SERIES: readonly Labels[] = Array.from({ length: SERIES_COUNT }, (_, i) =>
  Labels.from([
    ['__name__', i % 2 === 0 ? 'requests_total' : 'memory_bytes'],
    ['instance', `host-${i}`],
  ]),
)
export const BLOCK_SIZE_MS = 60_000
const STEP_MS = 500

export function timestampOf(startMs: number, batch: number): number {
  return startMs + batch * STEP_MS
}

export function bitsOfBatch(startMs: number, batch: number): BigUint64Array {
  return BigUint64Array.from(SERIES, (_, i) => bitsOf(i, timestampOf(startMs, batch)))
}
