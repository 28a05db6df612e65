import { nativeKernels } from '@varve/native'
import { SeededRandom } from '@varve/tsdb-core/env/simulated'
import { describe, expect, it } from 'vitest'
import { MemberStates } from './member-states.js'
import { SliceScan } from './slice-scan.js'

const LENGTH = 64
const RESOLUTION_MS = 60_000
const LOOKBACK_MS = 300_000
/** What samples are drawn from, besides numbers: markers, other NaNs, what overflows and what cancels out. */
const ODD = [0x7ff0000000000002n, 0x7ff8000000000000n, 0x7ff0000000000000n, 0xfff0000000000000n, 0x8000000000000000n]
const LARGE = [1e308, -1e308, 1e16, -1e16, 0.1, 5e-324]

/** Windows of slices with the same samples, by one implementation: all columns and states after each. */
function scanned(seed: number, scan: SliceScan) {
  const random = new SeededRandom(seed)
  const states = new MemberStates()
  states.reserve(LENGTH * 2)
  for (let member = 0; member < LENGTH * 2; member++) {
    // Unknown, none yet, and known ones of any age.
    if (random.u32() % 8 === 0) continue
    const valueMs = random.u32() % 4 === 0 ? -Infinity : 1e9 - (random.u32() % 200_000_000)
    const markerMs = random.u32() % 3 === 0 ? valueMs + (random.u32() % 100_000) : -Infinity
    states.write(member, { valueMs, value: random.u32() % 1000, markerMs })
  }
  const results: unknown[] = []
  for (let window = 1; window <= 3; window++) {
    const endMs = 1e9 + window * RESOLUTION_MS
    const sampleOffsets = new Uint32Array(LENGTH + 1)
    const times: number[] = []
    const bits: bigint[] = []
    const number = new Float64Array(1)
    for (let i = 0; i < LENGTH; i++) {
      scan.members[i] = i * 2 + (random.u32() % 2)
      scan.skips[i] = random.u32() % 16 === 0 ? 1 : 0
      for (let k = random.u32() % 6; k > 0; k--) {
        times.push(endMs - k * 10_000)
        number[0] = random.u32() % 5 === 0 ? LARGE[random.u32() % LARGE.length] : (random.u32() % 4000) / 8
        bits.push(random.u32() % 6 === 0 ? ODD[random.u32() % ODD.length] : new BigUint64Array(number.buffer)[0])
      }
      sampleOffsets[i + 1] = times.length
    }
    scan.count = LENGTH
    const values = new Float64Array(BigUint64Array.from(bits).buffer)
    const samples = { sampleOffsets, timestampsMs: Float64Array.from(times), values, unread: [] }
    scan.scan(samples, states, endMs, RESOLUTION_MS, LOOKBACK_MS)
    const { counts, sums, mins, maxs, lasts, lastTimesMs, increases, lives, livedBefore } = scan
    const columns = [counts, sums, mins, maxs, lasts, lastTimesMs, increases, states.valuesMs, states.values]
    // Any NaN is as good as another, but the sign of a zero counts.
    results.push([...columns, states.markersMs].map((column) => Array.from(column, (value) => value)))
    results.push([...lives], [...livedBefore])
  }
  return results
}

describe('the scan of a slice', () => {
  it.runIf(nativeKernels())('is the same by the Rust kernel and by TypeScript', () => {
    for (let seed = 1; seed <= 300; seed++) {
      expect(scanned(seed, new SliceScan(LENGTH)), `SEED=${seed}`).toEqual(scanned(seed, new SliceScan(LENGTH, null)))
    }
  })
})
