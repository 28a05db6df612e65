/** A small fleet: hosts with processors, memory, load and one histogram, an hour of each. */
export const MADE_UP_STEP_MS = 15_000
export const MADE_UP_STEPS = 240

export interface MadeUpSample {
  readonly labels: Readonly<Record<string, string>>
  readonly timestampMs: number
  readonly value: number
}

const HOSTS = 8
const MODES = ['idle', 'user', 'system', 'iowait'] as const
const BUCKETS = ['0.005', '0.02', '0.1', '0.5', '2', '+Inf'] as const
/** Steps of one batch: some milliseconds of work. */
const STEPS_PER_BATCH = 2

/** Batches up to `endMs`, oldest first. */
export function* madeUpSamples(endMs: number): Generator<MadeUpSample[]> {
  const series = madeUpSeries()
  for (let from = 0; from < MADE_UP_STEPS; from += STEPS_PER_BATCH) {
    const batch: MadeUpSample[] = []
    for (let step = from; step < from + STEPS_PER_BATCH; step++) {
      const timestampMs = endMs - (MADE_UP_STEPS - 1 - step) * MADE_UP_STEP_MS
      for (const { labels, valueAt } of series) batch.push({ labels, timestampMs, value: valueAt(step) })
    }
    yield batch
  }
}

interface MadeUpSeries {
  readonly labels: Readonly<Record<string, string>>
  readonly valueAt: (step: number) => number
}

function madeUpSeries(): MadeUpSeries[] {
  const series: MadeUpSeries[] = []
  for (let host = 0; host < HOSTS; host++) {
    const target = { job: host % 2 === 0 ? 'node' : 'app', instance: `host-${host}` }
    const add = (name: string, valueAt: (step: number) => number, more: Readonly<Record<string, string>> = {}) => {
      series.push({ labels: { __name__: name, ...target, ...more }, valueAt })
    }
    const wave = (step: number) => Math.sin((step + host * 7) / 11)
    add('up', () => 1)
    add('node_info', () => 1, { nodename: `node-${host}` })
    add('node_load1', (step) => Math.round((1 + wave(step)) * 100) / 100)
    add('memory_total_bytes', () => 2 ** 34)
    add('memory_available_bytes', (step) => 2 ** 33 + Math.round(wave(step) * 2 ** 30))
    for (const [i, mode] of MODES.entries()) {
      add('cpu_seconds_total', (step) => step * (15 / (i + 1)) + wave(step), { mode })
    }
    for (const [i, le] of BUCKETS.entries()) add('request_seconds_bucket', (step) => step * (i + 1), { le })
  }
  return series
}
