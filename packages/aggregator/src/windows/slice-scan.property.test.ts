import { nativeKernels } from '@varve/native'
import { RUN_STRIDE } from '@varve/tsdb-core'
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
  const memberColumns = Uint8Array.from({ length: LENGTH * 2 }, () => random.u32() % 256)
  const results: unknown[] = []
  for (let window = 1; window <= 3; window++) {
    const endMs = 1e9 + window * RESOLUTION_MS
    const runs: number[] = []
    const times: number[] = []
    const bits: bigint[] = []
    const number = new Float64Array(1)
    scan.begin(Uint32Array.from({ length: LENGTH }, (_, i) => i * 2 + (random.u32() % 2)))
    for (let i = 0; i < LENGTH; i++) scan.skips[i] = random.u32() % 16 === 0 ? 1 : 0
    // Values that are all numbers, as they mostly are, take a way of their own.
    const isOdd = random.u32() % 2 === 0
    for (let end = 0; end < LENGTH; ) {
      const width = Math.min(LENGTH - end, random.u32() % 3 === 0 ? 1 : 1 + (random.u32() % 30))
      end += width
      const count = random.u32() % 6
      runs.push(end, count, times.length, bits.length)
      for (let k = count; k > 0; k--) times.push(endMs - k * 10_000)
      for (let k = count * width; k > 0; k--) {
        number[0] = random.u32() % 5 === 0 ? LARGE[random.u32() % LARGE.length] : (random.u32() % 4000) / 8
        const odd = isOdd && random.u32() % 30 === 0
        bits.push(odd ? ODD[random.u32() % ODD.length] : new BigUint64Array(number.buffer)[0])
      }
    }
    const samples = {
      runCount: runs.length / RUN_STRIDE,
      runs: Uint32Array.from(runs),
      timestampsMs: Float64Array.from(times),
      values: new Float64Array(BigUint64Array.from(bits).buffer),
      unread: [],
    }
    scan.scan(samples, { endMs, resolutionMs: RESOLUTION_MS, lookbackMs: LOOKBACK_MS, states, memberColumns })
    const { counts, sums, mins, maxs, lasts, lastTimesMs, increases, lives, livedBefore, masks, tallies } = scan
    const columns = [counts, sums, mins, maxs, lasts, lastTimesMs, increases, states.valuesMs, states.values]
    // Any NaN is as good as another, but the sign of a zero counts.
    results.push([...columns, states.markersMs].map((column) => Array.from(column, (value) => value)))
    results.push([...lives], [...livedBefore], [...masks], { ...tallies })
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
