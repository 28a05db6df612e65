/** The fleet as columns for the codec benchmarks: all series one behind the other, and who they are. */
import { Fleet } from '../fleet/fleet.js'

export interface CodecDataset {
  fleet: Fleet
  sampleCount: number
  seriesCount: number
  timestampsMs: Float64Array
  values: Float64Array
  /** Pairs: where each series begins and ends in the columns. */
  ranges: Uint32Array
  /** One timestamp column a distinct scrape schedule, as a block shares them. */
  sharedTimestampsMs: Float64Array
  sharedRanges: Uint32Array
}

const datasets = new Map<string, CodecDataset>()

/** Two hours of `hosts` hosts at 15 s: 480 samples a series. Made once for all benchmarks that ask. */
export function codecDataset(hosts: number, steps: number): CodecDataset {
  const key = `${hosts} ${steps}`
  let dataset = datasets.get(key)
  if (dataset === undefined) datasets.set(key, (dataset = make(hosts, steps)))
  return dataset
}

function make(hosts: number, steps: number): CodecDataset {
  const fleet = new Fleet({ hosts, steps })
  const sampleCount = fleet.sampleCount
  const seriesCount = fleet.series.length
  const timestampsMs = new Float64Array(sampleCount)
  const values = new Float64Array(sampleCount)
  const ranges = new Uint32Array(2 * seriesCount)
  const hostTimes = Array.from({ length: hosts }, (_, host) => fleet.timestampsMs(host))
  const shared: Float64Array[] = []
  const seen = new Set<string>()
  let at = 0
  fleet.series.forEach(({ host, fromStep, toStep }, index) => {
    const times = hostTimes[host].subarray(fromStep, toStep)
    ranges[2 * index] = at
    timestampsMs.set(times, at)
    values.set(fleet.values(index), at)
    at += times.length
    ranges[2 * index + 1] = at
    const schedule = `${host} ${fromStep} ${toStep}`
    if (!seen.has(schedule)) shared.push(times)
    seen.add(schedule)
  })
  const sharedTimestampsMs = new Float64Array(shared.reduce((sum, times) => sum + times.length, 0))
  const sharedRanges = new Uint32Array(2 * shared.length)
  let sharedAt = 0
  shared.forEach((times, index) => {
    sharedRanges[2 * index] = sharedAt
    sharedTimestampsMs.set(times, sharedAt)
    sharedAt += times.length
    sharedRanges[2 * index + 1] = sharedAt
  })
  return { fleet, sampleCount, seriesCount, timestampsMs, values, ranges, sharedTimestampsMs, sharedRanges }
}

/** Pairs of where columns lie that were encoded one behind the other from offset 0. */
export function rangesOfEnds(ends: Uint32Array): Uint32Array {
  const ranges = new Uint32Array(2 * ends.length)
  for (let index = 0; index < ends.length; index++) {
    ranges[2 * index] = index === 0 ? 0 : ends[index - 1]
    ranges[2 * index + 1] = ends[index]
  }
  return ranges
}

/** Throws unless both columns have the same bits. */
export function checkBits(name: string, actual: Float64Array, expected: Float64Array): void {
  const a = Buffer.from(actual.buffer, actual.byteOffset, actual.byteLength)
  const b = Buffer.from(expected.buffer, expected.byteOffset, expected.byteLength)
  if (!a.equals(b)) throw new Error(`${name}: the decoded column differs from the encoded one`)
}
