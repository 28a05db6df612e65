/**
 * A fleet of hosts and everything they export, as a function of one seed: the data of all benchmarks.
 *
 * The same samples come series by series, as columns, or step by step, as remote-write batches would bring them. Series
 * appear and end (churn, with a staleness marker), hosts restart (counters begin again), and some hosts are scraped with
 * jitter; the series of one host always share its timestamps.
 */
import { hostSeries, type SeriesDefinition, type Source } from './families.js'
import { FleetRandom, seedOf } from './random.js'

export interface FleetOptions {
  hosts: number
  /** Scrapes a host, and so samples a series that lives all the time. */
  steps: number
  seed?: number
  startMs?: number
  stepMs?: number
  /** The share of hosts whose scrapes come up to 20 ms late. */
  jitterShare?: number
  /** The share of hosts that restart once. */
  restartShare?: number
  /** The share of series that live only for a part of the time. */
  churnShare?: number
}

/** One series: who it is, and on which steps [fromStep, toStep) it has samples. */
export interface FleetSeries {
  family: string
  host: number
  /** Name and value in turn, sorted by name. */
  labels: string[]
  fromStep: number
  toStep: number
  /** Whether its last sample is the staleness marker. */
  endsStale: boolean
}

/** A batch of samples; the arrays are used again for the next one. */
export interface FleetBatch {
  count: number
  /** Indexes into `fleet.series`. */
  series: Uint32Array
  timestampsMs: Float64Array
  values: Float64Array
}

/** Raised when the same options make other samples: what is kept of them in files is made anew. */
export const FLEET_VERSION = 2

const STALE_HALVES = Uint32Array.of(0x00000002, 0x7ff00000)

export class Fleet {
  readonly series: FleetSeries[] = []
  /** `hostStart[h]` is the index of host h's first series; one more at the end. */
  readonly hostStart: number[] = [0]
  readonly options: Required<FleetOptions>
  private readonly definitions: SeriesDefinition[] = []

  constructor(options: FleetOptions) {
    this.options = {
      seed: 1,
      startMs: 1_700_000_000_000,
      stepMs: 15_000,
      jitterShare: 0.05,
      restartShare: 0.1,
      churnShare: 0.02,
      ...options,
    }
    for (let host = 0; host < options.hosts; host++) {
      this.addHost(host)
      this.hostStart.push(this.series.length)
    }
  }

  /** How many samples all series have together. */
  get sampleCount(): number {
    let count = 0
    for (const series of this.series) count += series.toStep - series.fromStep
    return count
  }

  /** The host's scrape times, one a step. */
  timestampsMs(host: number): Float64Array {
    const { seed, startMs, stepMs, steps, hosts, jitterShare } = this.options
    const random = new FleetRandom(seedOf(seed, host, 3))
    // Never on a whole step: a sample on the far edge of a range is in it for Prometheus before 3, and not for others.
    const offset = Math.max(1, random.below(stepMs))
    const every = Math.max(1, Math.round(1 / jitterShare))
    const jittered = jitterShare > 0 && host % every === Math.min(7, hosts - 1, every - 1)
    const timestamps = new Float64Array(steps)
    for (let step = 0; step < steps; step++) {
      timestamps[step] = startMs + offset + step * stepMs + (jittered ? random.below(20) : 0)
    }
    return timestamps
  }

  /** The values of one series, for its steps [fromStep, toStep). */
  values(index: number): Float64Array {
    const series = this.series[index]
    const values = new Float64Array(series.toStep - series.fromStep)
    const next = this.sourceOf(index)
    const restart = this.restartStep(series.host)
    for (let step = series.fromStep; step < series.toStep; step++)
      values[step - series.fromStep] = next(step === restart)
    if (series.endsStale) markStale(values, values.length - 1)
    return values
  }

  /** All samples in the order in which scrapes bring them: step by step, host by host, at most `size` a batch. */
  *batches(size: number): Generator<FleetBatch> {
    const batch: FleetBatch = {
      count: 0,
      series: new Uint32Array(size),
      timestampsMs: new Float64Array(size),
      values: new Float64Array(size),
    }
    const sources = this.series.map((_, index) => this.sourceOf(index))
    const times = Array.from({ length: this.options.hosts }, (_, host) => this.timestampsMs(host))
    const restarts = times.map((_, host) => this.restartStep(host))
    for (let step = 0; step < this.options.steps; step++) {
      for (let index = 0; index < this.series.length; index++) {
        const series = this.series[index]
        if (step < series.fromStep || step >= series.toStep) continue
        const at = batch.count++
        batch.series[at] = index
        batch.timestampsMs[at] = times[series.host][step]
        batch.values[at] = sources[index](step === restarts[series.host])
        if (series.endsStale && step === series.toStep - 1) markStale(batch.values, at)
        if (batch.count < size) continue
        yield batch
        batch.count = 0
      }
    }
    if (batch.count > 0) yield batch
  }

  private addHost(host: number): void {
    const { seed, steps, churnShare } = this.options
    const random = new FleetRandom(seedOf(seed, host, 1))
    const target = { dc: `dc${host % 3}`, instance: `host-${String(host).padStart(4, '0')}:9100`, job: 'node' }
    for (const definition of hostSeries(host)) {
      const labels = Object.entries({ __name__: definition.name, ...target, ...definition.labels })
      labels.sort(([a], [b]) => (a < b ? -1 : 1))
      const lives = { fromStep: 0, toStep: steps }
      if (random.fraction() < churnShare && steps > 8) {
        const half = 1 + random.below(steps - 2)
        if (random.fraction() < 0.5) lives.fromStep = half
        else lives.toStep = half + 1
      }
      const endsStale = lives.toStep < steps
      this.series.push({ family: definition.family, host, labels: labels.flat(), ...lives, endsStale })
      this.definitions.push(definition)
    }
  }

  private sourceOf(index: number): Source {
    const random = new FleetRandom(seedOf(this.options.seed, index, 2))
    return this.definitions[index].source(random)
  }

  /** The step on which the host comes up again, or -1. */
  private restartStep(host: number): number {
    const { seed, steps, restartShare } = this.options
    const random = new FleetRandom(seedOf(seed, host, 4))
    return random.fraction() < restartShare ? random.below(steps) : -1
  }
}

/** Writes the marker by its halves: as a number it would lose its bits. */
function markStale(values: Float64Array, index: number): void {
  new Uint8Array(values.buffer, values.byteOffset + 8 * index, 8).set(new Uint8Array(STALE_HALVES.buffer))
}
