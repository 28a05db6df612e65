/** Range functions over floats, one window at a time and as plainly as they can be said: the twins of the kernels. */
export interface NaiveSample {
  readonly timeMs: number
  readonly value: number
}

export interface NaiveWindow {
  /** In `(startMs, endMs]`, oldest first, at least one. */
  readonly samples: readonly NaiveSample[]
  readonly startMs: number
  readonly endMs: number
  readonly evaluationMs: number
  readonly scalars: readonly number[]
}

type NaiveFunction = (window: NaiveWindow) => number | undefined

export const NAIVE_FUNCTIONS: Readonly<Record<string, NaiveFunction>> = {
  avg_over_time: ({ samples }) => mean(valuesOf(samples)),
  changes: ({ samples }) =>
    pairs(samples).filter(([a, b]) => a.value !== b.value && !(Number.isNaN(a.value) && Number.isNaN(b.value))).length,
  count_over_time: ({ samples }) => samples.length,
  delta: (window) => growth(window, false),
  deriv: ({ samples }) => (samples.length < 2 ? undefined : line(samples, samples[0].timeMs).slope),
  double_exponential_smoothing: ({ samples, scalars: [smoothing, trend] }) => {
    if (samples.length < 2) return undefined
    let level = samples[0].value
    let slope = samples[1].value - samples[0].value
    let before = 0
    for (let i = 1; i < samples.length; i++) {
      if (i > 1) slope = trend * (level - before) + (1 - trend) * slope
      const next = smoothing * samples[i].value + (1 - smoothing) * (level + slope)
      before = level
      level = next
    }
    return level
  },
  first_over_time: ({ samples }) => samples[0].value,
  idelta: ({ samples }) => (samples.length < 2 ? undefined : samples.at(-1)!.value - samples.at(-2)!.value),
  increase: (window) => growth(window, true),
  irate: ({ samples }) => {
    if (samples.length < 2) return undefined
    const [a, b] = samples.slice(-2)
    return (b.value < a.value ? b.value : b.value - a.value) / ((b.timeMs - a.timeMs) / 1000)
  },
  last_over_time: ({ samples }) => samples.at(-1)!.value,
  mad_over_time: ({ samples }) => {
    const values = valuesOf(samples)
    if (values.some(Number.isNaN)) return Number.NaN
    const median = quantile(0.5, values)
    return quantile(
      0.5,
      values.map((value) => Math.abs(value - median)),
    )
  },
  max_over_time: ({ samples }) => {
    const numbers = valuesOf(samples).filter((value) => !Number.isNaN(value))
    return numbers.length === 0 ? Number.NaN : Math.max(...numbers)
  },
  min_over_time: ({ samples }) => {
    const numbers = valuesOf(samples).filter((value) => !Number.isNaN(value))
    return numbers.length === 0 ? Number.NaN : Math.min(...numbers)
  },
  predict_linear: ({ samples, evaluationMs, scalars: [seconds] }) => {
    if (samples.length < 2) return undefined
    const { slope, intercept } = line(samples, evaluationMs)
    return slope * seconds + intercept
  },
  present_over_time: () => 1,
  quantile_over_time: ({ samples, scalars: [q] }) => quantile(q, valuesOf(samples)),
  rate: (window) => {
    const increase = growth(window, true)
    return increase === undefined ? undefined : increase / ((window.endMs - window.startMs) / 1000)
  },
  resets: ({ samples }) => pairs(samples).filter(([a, b]) => b.value < a.value).length,
  stddev_over_time: ({ samples }) => Math.sqrt(variance(valuesOf(samples))),
  stdvar_over_time: ({ samples }) => variance(valuesOf(samples)),
  sum_over_time: ({ samples }) => sum(valuesOf(samples)),
  ts_of_first_over_time: ({ samples }) => samples[0].timeMs / 1000,
  ts_of_last_over_time: ({ samples }) => samples.at(-1)!.timeMs / 1000,
  ts_of_max_over_time: ({ samples }) => timeOf(samples, (value, best) => value >= best),
  ts_of_min_over_time: ({ samples }) => timeOf(samples, (value, best) => value <= best),
}

function valuesOf(samples: readonly NaiveSample[]): number[] {
  return samples.map(({ value }) => value)
}

function pairs(samples: readonly NaiveSample[]): [NaiveSample, NaiveSample][] {
  return samples.slice(1).map((sample, i) => [samples[i], sample])
}

/** Exact while the values are multiples of 2^-20 below 2^30: BigInt does the adding. */
function sum(values: readonly number[]): number {
  if (values.every((value) => Number.isInteger(value * 2 ** 20))) {
    return Number(values.reduce((total, value) => total + BigInt(value * 2 ** 20), 0n)) / 2 ** 20
  }
  return values.reduce((total, value) => total + value, 0)
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length
}

function variance(values: readonly number[]): number {
  const middle = mean(values)
  return values.reduce((total, value) => total + (value - middle) ** 2, 0) / values.length
}

function quantile(q: number, values: readonly number[]): number {
  if (Number.isNaN(q)) return Number.NaN
  if (q < 0) return Number.NEGATIVE_INFINITY
  if (q > 1) return Number.POSITIVE_INFINITY
  const rank = (value: number) => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value)
  const sorted = [...values].sort((a, b) => rank(a) - rank(b) || 0)
  const place = q * (sorted.length - 1)
  const lower = Math.floor(place)
  const upper = Math.min(sorted.length - 1, lower + 1)
  return sorted[lower] * (1 - (place - lower)) + sorted[upper] * (place - lower)
}

function growth({ samples, startMs, endMs }: NaiveWindow, isCounter: boolean): number | undefined {
  if (samples.length < 2) return undefined
  const first = samples[0]
  const last = samples.at(-1)!
  let result = last.value - first.value
  if (isCounter) for (const [a, b] of pairs(samples)) if (b.value < a.value) result += a.value
  const sampled = (last.timeMs - first.timeMs) / 1000
  const between = sampled / (samples.length - 1)
  let toStart = (first.timeMs - startMs) / 1000
  let toEnd = (endMs - last.timeMs) / 1000
  if (toStart >= between * 1.1) toStart = between / 2
  if (toEnd >= between * 1.1) toEnd = between / 2
  if (isCounter && result > 0 && first.value >= 0) toStart = Math.min(toStart, sampled * (first.value / result))
  return (result * (sampled + toStart + toEnd)) / sampled
}

function line(samples: readonly NaiveSample[], atMs: number): { slope: number; intercept: number } {
  if (samples.every(({ value }) => value === samples[0].value)) {
    const value = Number.isFinite(samples[0].value) ? samples[0].value : Number.NaN
    return { slope: Number.isNaN(value) ? Number.NaN : 0, intercept: value }
  }
  const xs = samples.map(({ timeMs }) => (timeMs - atMs) / 1000)
  const ys = valuesOf(samples)
  const x = xs.reduce((a, b) => a + b) / xs.length
  const y = ys.reduce((a, b) => a + b) / ys.length
  const covariance = xs.reduce((total, each, i) => total + (each - x) * (ys[i] - y), 0)
  const spread = xs.reduce((total, each) => total + (each - x) ** 2, 0)
  const slope = covariance / spread
  return { slope, intercept: y - slope * x }
}

function timeOf(samples: readonly NaiveSample[], better: (value: number, best: number) => boolean): number {
  let best = samples[0]
  for (const sample of samples) if (better(sample.value, best.value) || Number.isNaN(best.value)) best = sample
  return best.timeMs / 1000
}
