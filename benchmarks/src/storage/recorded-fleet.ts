/** A fleet's samples generated once into columns, so that a benchmark measures stores and not the generator. */
import { Fleet, type FleetOptions } from '../fleet/fleet.js'

export interface RecordedFleet {
  readonly fleet: Fleet
  readonly sampleCount: number
  /** Indexes into `fleet.series`, in the order in which scrapes bring the samples. */
  readonly series: Uint32Array
  readonly timestampsMs: Float64Array
  readonly values: Float64Array
}

export function recordFleet(options: FleetOptions): RecordedFleet {
  const fleet = new Fleet(options)
  const { sampleCount } = fleet
  const series = new Uint32Array(sampleCount)
  const timestampsMs = new Float64Array(sampleCount)
  const values = new Float64Array(sampleCount)
  let at = 0
  for (const batch of fleet.batches(2000)) {
    series.set(batch.series.subarray(0, batch.count), at)
    timestampsMs.set(batch.timestampsMs.subarray(0, batch.count), at)
    values.set(batch.values.subarray(0, batch.count), at)
    at += batch.count
  }
  return { fleet, sampleCount, series, timestampsMs, values }
}
