/** Random queries that make sense over `generatedSeries`: each has a type that fits where it stands. */
import type { SeededRandom } from './random.js'

export interface GeneratedQueryOptions {
  /** Whether native histograms are there to be asked about. */
  readonly nativeHistograms: boolean
  /** Only what Prometheus 2.42 has too. */
  readonly classicOnly: boolean
  /** Without topk and its kin, whose choice among equal values depends on the order of series. */
  readonly orderFree: boolean
}

const MATH = ['abs', 'ceil', 'floor', 'exp', 'sqrt', 'sgn', 'ln', 'log2', 'sin', 'atan', 'deg', 'rad']
const OVER_TIME = ['avg', 'min', 'max', 'sum', 'count', 'last', 'stddev', 'stdvar', 'present'].map(
  (name) => `${name}_over_time`,
)
const COUNTERS = ['rate', 'increase', 'irate', 'resets', 'changes']
const GAUGES = ['delta', 'idelta', 'deriv', 'changes']
const NEW_OVER_TIME = ['mad', 'first', 'ts_of_first', 'ts_of_last', 'ts_of_max', 'ts_of_min'].map(
  (name) => `${name}_over_time`,
)
const RANGES = ['1m', '2m', '97s', '5m', '10m']
const LABELS = ['a', 'b']
const ARITHMETIC = ['+', '-', '*', '/', '%', '^', 'atan2']
const COMPARISONS = ['==', '!=', '>', '<', '>=', '<=']
const AGGREGATIONS = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar']

export class QueryGenerator {
  readonly #random: SeededRandom
  readonly #options: GeneratedQueryOptions

  constructor(random: SeededRandom, options: GeneratedQueryOptions) {
    this.#random = random
    this.#options = options
  }

  /** An instant vector, at most so deep. */
  vector(depth: number): string {
    const { nativeHistograms } = this.#options
    if (depth <= 0) return this.#selector(this.#metric())
    const forms: (() => string)[] = [
      () => this.#selector(this.#metric()),
      () => this.rangeCall(depth),
      () => this.rangeCall(depth),
      () => this.#aggregation(depth),
      () => this.#aggregation(depth),
      () => `${this.#random.pick(MATH)}(${this.vector(depth - 1)})`,
      () => this.#scalarOperation(depth),
      () => this.#vectorOperation(depth),
      () => `histogram_quantile(${this.#quantile()}, ${this.#buckets()})`,
      () => `-${this.#factor(depth)}`,
      () => `clamp_min(${this.vector(depth - 1)}, ${this.#number()})`,
      () => `round(${this.vector(depth - 1)}, 0.5)`,
      () => `label_replace(${this.vector(depth - 1)}, "a", "q$1", "a", "([xy])")`,
      () => `timestamp(${this.vector(depth - 1)})`,
      () => `absent(${this.#selector(this.#metric())})`,
      () => `vector(${this.#scalar(depth)})`,
    ]
    if (!this.#options.classicOnly) {
      forms.push(
        () => this.#extendedRangeCall(),
        () => `${this.#random.pick(['gauge', 'events_total'])} smoothed${this.#shift()}`,
        () => `vector(${this.#random.pick(['min_of', 'max_of'])}(${this.#scalar(depth)}, ${this.#scalar(depth)}))`,
        () => this.#filledOperation(depth),
        () =>
          `sum_over_time(gauge[${this.#random.pick(['1m + 37s', '2m * 2', '-(1m - 3m)', '5m % 2m', 'max_of(7s, 1m)'])}])`,
      )
    }
    if (nativeHistograms) {
      forms.push(
        () => `histogram_quantile(${this.#quantile()}, ${this.#native(depth)})`,
        () => `histogram_${this.#random.pick(['count', 'sum', 'avg', 'stddev', 'stdvar'])}(${this.#native(depth)})`,
        () => `histogram_fraction(-1, ${this.#random.pick(['0', '1.7', '100'])}, ${this.#native(depth)})`,
        () => this.#native(depth),
      )
    }
    return this.#random.pick(forms)()
  }

  /** A function over a range. */
  rangeCall(depth: number): string {
    const range = this.#random.pick(RANGES)
    if (depth > 1 && this.#random.chance(0.25)) {
      const step = this.#random.pick(['30s', '1m', '45s'])
      return `${this.#random.pick(OVER_TIME)}(${this.#factor(depth - 1)}[${range}:${step}]${this.#shift()})`
    }
    if (this.#random.chance(0.4)) return `${this.#random.pick(COUNTERS)}(events_total[${range}]${this.#shift()})`
    const metric = this.#random.pick(['gauge', 'other'])
    const die = this.#random.next()
    if (die < 0.15) return `quantile_over_time(${this.#quantile()}, ${metric}[${range}])`
    if (die < 0.25) return `predict_linear(${metric}[${range}], 60)`
    const names = [...OVER_TIME, ...GAUGES, ...(this.#options.classicOnly ? [] : NEW_OVER_TIME)]
    return `${this.#random.pick(names)}(${metric}[${range}]${this.#shift()})`
  }

  /** With `anchored` or `smoothed`. */
  #extendedRangeCall(): string {
    const range = this.#random.pick(RANGES)
    const smoothed = this.#random.chance(0.5)
    const [names, metric] = this.#random.pick([
      [['rate', 'increase'], 'events_total'],
      [['delta'], 'gauge'],
      [smoothed ? ['delta'] : ['resets', 'changes'], 'gauge'],
      ...(this.#options.nativeHistograms ? ([[['rate', 'increase'], 'native']] as const) : []),
    ] as const)
    const call = `${this.#random.pick(names)}(${metric}[${range}] ${smoothed ? 'smoothed' : 'anchored'}${this.#shift()})`
    return metric === 'native' ? `histogram_count(${call})` : call
  }

  #filledOperation(depth: number): string {
    const fill = this.#random.pick(['fill (0)', 'fill_left (1)', 'fill_right (-2)', 'fill_left (1) fill_right (2)'])
    const [left, right] = [this.#factor(depth - 1), this.#factor(depth - 1)]
    return `sum by (a, b) (${left}) ${this.#operator()} on (a, b) ${fill} max by (a, b) (${right})`
  }

  #metric(): string {
    return this.#random.pick(['gauge', 'other', 'events_total', 'missing'])
  }

  #selector(metric: string): string {
    return (
      metric + this.#random.pick(['', '', '{a="x"}', '{a!="x"}', '{a=~"x|y"}', '{b!~"2.*"}', '{a=""}']) + this.#shift()
    )
  }

  #shift(): string {
    return this.#random.pick(['', '', '', '', ' offset 1m', ' offset -30s', ' @ 2411', ' @ 2411 offset 30s'])
  }

  #buckets(): string {
    const rate = `rate(latency_bucket[${this.#random.pick(RANGES)}])`
    return this.#random.pick(['latency_bucket', rate, `sum by (le) (${rate})`, `sum by (a, le) (${rate})`])
  }

  #native(depth: number): string {
    const range = this.#random.pick(RANGES)
    const plain = () => `native${this.#random.pick(['', '{a="x"}', '{b="1"}'])}${this.#shift()}`
    const forms = [
      plain,
      () => `rate(native[${range}])`,
      () => `increase(native[${range}])`,
      () => `sum_over_time(native[${range}])`,
      () => `avg_over_time(native[${range}])`,
      () => `sum by (a) (${depth > 1 ? this.#native(depth - 1) : plain()})`,
      () => `avg(${depth > 1 ? this.#native(depth - 1) : plain()})`,
      () => `${plain()} * 2`,
      () => `(native - native offset 1m)`,
      () => `${plain()} ${this.#random.pick(['</', '>/'])} ${this.#random.pick(['0', '-1', '1.7', '100'])}`,
    ]
    return this.#random.pick(forms)()
  }

  #aggregation(depth: number): string {
    const inner = this.vector(depth - 1)
    const by = this.#random.pick(['', ' by (a)', ' by (b)', ' by (a, b)', ' without (a)', ' by (none)'])
    const die = this.#random.next()
    if (die < 0.1) return `quantile${by} (${this.#quantile()}, ${inner})`
    // Not of computed values: their last digits depend on the order in which series come.
    if (die < 0.15) return `count_values${by} ("v", ${this.#selector('other')})`
    // Of equal values those of the first series count, so the series come in a fixed order: that of the store.
    if (die < 0.3 && !this.#options.orderFree) {
      return `${this.#random.pick(['topk', 'bottomk'])}${by} (2, ${this.rangeCall(1)})`
    }
    return `${this.#random.pick(AGGREGATIONS)}${by} (${inner})`
  }

  #scalarOperation(depth: number): string {
    const vector = this.#factor(depth - 1)
    const scalar = this.#scalar(depth - 1)
    const operator = this.#operator()
    return this.#random.chance(0.5) ? `${vector} ${operator} ${scalar}` : `${scalar} ${operator} ${vector}`
  }

  #operator(): string {
    const die = this.#random.next()
    if (die < 0.6) return this.#random.pick(ARITHMETIC)
    return this.#random.pick(COMPARISONS) + (die < 0.8 ? ' bool' : '')
  }

  #vectorOperation(depth: number): string {
    const left = this.#factor(depth - 1)
    const right = this.#factor(depth - 1)
    const label = this.#random.pick(LABELS)
    if (this.#random.chance(0.3)) {
      const matching = this.#random.pick(['', `on (${label}) `, `ignoring (${label}) `])
      return `${left} ${this.#random.pick(['and', 'or', 'unless'])} ${matching}${right}`
    }
    const operator = this.#operator()
    const matching = this.#random.pick([
      '',
      'on (a, b) ',
      'ignoring (le) ',
      `on (${label}) group_left () `,
      `on (${label}) group_right () `,
    ])
    // One side of a grouped match has one series for each label value.
    if (matching.includes('group_left')) return `${left} ${operator} ${matching}max by (${label}) (${right})`
    if (matching.includes('group_right')) return `max by (${label}) (${left}) ${operator} ${matching}${right}`
    return `${left} ${operator} ${matching}${right}`
  }

  /** A vector that any operator may stand beside. */
  #factor(depth: number): string {
    return `(${this.vector(depth)})`
  }

  #scalar(depth: number): string {
    if (depth <= 0 || this.#random.chance(0.6)) return this.#number()
    return this.#random.pick([
      () => 'time()',
      () => `scalar(${this.vector(depth - 1)})`,
      () => `(${this.#number()} ${this.#random.pick(['+', '-', '*'])} ${this.#number()})`,
    ])()
  }

  #number(): string {
    return this.#random.pick(['0', '1', '2', '0.5', '10', '-3', '1e3'])
  }

  #quantile(): string {
    return this.#random.pick(['0', '0.3', '0.5', '0.9', '0.99', '1'])
  }
}
