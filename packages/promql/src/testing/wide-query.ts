/**
 * Random queries from the whole grammar, over `generatedSeries` and `wideSeries`: every function with every kind of argument,
 * every operator with every way of matching, now and then something of the wrong type.
 *
 * Unlike those of `QueryGenerator` (which it asks, too) they need not make sense: errors, warnings and infos are answers.
 */
import type { ValueType } from '../ast.js'
import { FUNCTIONS } from '../parser/signatures.js'
import { QueryGenerator } from './generated-query.js'
import type { SeededRandom } from './random.js'
import { WIDE_METRICS } from './wide-data.js'

export interface WideQueryOptions {
  /** Whole seconds that `@` may name. */
  readonly startS: number
  readonly endS: number
  /** Functions and aggregations that the other side does not know. */
  readonly without: ReadonlySet<string>
  /** `fill`, `anchored`, `smoothed` and trimming, which Prometheus has since 3.7 and later. */
  readonly newerSyntax: boolean
}

type Kind = Exclude<ValueType, 'none'>

const KINDS: readonly Kind[] = ['scalar', 'vector', 'matrix', 'string']
const FLOAT_METRICS = ['gauge', 'other', 'events_total', ...WIDE_METRICS.floats]
const HISTOGRAM_METRICS = ['native', ...WIDE_METRICS.histograms]
const BUCKET_METRICS = ['latency_bucket', ...WIDE_METRICS.buckets]
const AGGREGATIONS = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar']
const PARAMETER_AGGREGATIONS = ['topk', 'bottomk', 'quantile', 'count_values', 'limitk', 'limit_ratio']
const ARITHMETIC = ['+', '-', '*', '/', '%', '^', 'atan2']
const COMPARISONS = ['==', '!=', '>', '<', '>=', '<=']
const SETS = ['and', 'or', 'unless']
const RANGES = ['15s', '30s', '1m', '2m', '97s', '5m', '10m', '1s', '1h', '150ms', '90', '0.5']
const LABELS = ['a', 'b', 'le', 'job', '__name__', '"dotted.label"', 'none']
const NUMBERS = ['0', '1', '2', '-1', '0.5', '1e3', 'NaN', 'Inf', '-Inf', '0x10', '1e-300', '3.7', '5m', '-0', '1e308']
const STRINGS = [
  '"a"',
  '"b"',
  '"x"',
  '"$1"',
  '"(.*)"',
  '""',
  "'q'",
  '`r`',
  '"1a"',
  `"$1-$\{2}"`,
  '"[a"',
  '"é"',
  '"__name__"',
]

export class WideQueryGenerator {
  readonly #random: SeededRandom
  readonly #options: WideQueryOptions
  readonly #plain: QueryGenerator
  readonly #functions: readonly string[]
  readonly #parameterAggregations: readonly string[]

  constructor(random: SeededRandom, options: WideQueryOptions) {
    this.#random = random
    this.#options = options
    this.#plain = new QueryGenerator(random, {
      nativeHistograms: options.newerSyntax,
      classicOnly: !options.newerSyntax,
      orderFree: true,
    })
    this.#functions = [...FUNCTIONS.keys()].filter((name) => !options.without.has(name))
    this.#parameterAggregations = PARAMETER_AGGREGATIONS.filter((name) => !options.without.has(name))
  }

  query(): string {
    const die = this.#random.next()
    if (die < 0.1) return this.#plain.vector(2)
    if (die < 0.15) return this.#expression(this.#random.pick(KINDS), 2)
    return this.#vector(1 + this.#random.below(3))
  }

  #expression(kind: Kind, depth: number): string {
    const wanted = this.#random.chance(0.02) ? this.#random.pick(KINDS) : kind
    switch (wanted) {
      case 'scalar':
        return this.#scalar(depth)
      case 'vector':
        return this.#vector(depth)
      case 'matrix':
        return this.#matrix(depth)
      case 'string':
        return this.#random.pick(STRINGS)
    }
  }

  #vector(depth: number): string {
    if (depth <= 0) return this.#instantSelector()
    return this.#random.pick([
      () => this.#instantSelector(),
      () => this.#call(depth),
      () => this.#call(depth),
      () => this.#call(depth),
      () => this.#aggregation(depth),
      () => this.#aggregation(depth),
      () => this.#binary(depth),
      () => this.#binary(depth),
      () => `${this.#random.pick(['-', '+'])}${this.#operand(depth - 1)}`,
      () => `(${this.#vector(depth - 1)})`,
      () => this.#buckets(depth),
    ])()
  }

  #metric(): string {
    const die = this.#random.next()
    if (die < 0.5) return this.#random.pick(FLOAT_METRICS)
    if (die < 0.8) return this.#random.pick(HISTOGRAM_METRICS)
    if (die < 0.9) return this.#random.pick(BUCKET_METRICS)
    return this.#random.pick(['missing', '{"some.utf8 name"}', ...WIDE_METRICS.both])
  }

  #selector(): string {
    const metric = this.#metric()
    const die = this.#random.next()
    if (die < 0.5) return metric
    if (die < 0.55)
      return this.#random.pick(['{a="x"}', '{__name__=~"gauge|native"}', '{__name__=~"ev.*"}', '{b="1",a!="y"}'])
    const matchers = this.#random.pick([
      ...[
        'a="x"',
        'a!="x"',
        'a=~"x|y"',
        'b!~"2.*"',
        'a=""',
        'a="x",b="1"',
        'none=""',
        'none!=""',
        'le="0.5"',
        'a=~"[xy]",a!="x"',
      ],
      ...['"dotted.label"="1"', 'a=~".+"', 'a=~""', ''],
    ])
    return metric.startsWith('{') ? `${metric.slice(0, -1)}${matchers && `,${matchers}`}}` : `${metric}{${matchers}}`
  }

  #instantSelector(): string {
    const extended = this.#options.newerSyntax && this.#random.chance(0.03) ? ' smoothed' : ''
    return this.#selector() + extended + this.#shift()
  }

  #shift(): string {
    const { startS, endS } = this.#options
    const at = () => {
      const second = startS - 300 + this.#random.below(endS - startS + 600)
      return this.#random.pick([` @ ${second}`, ` @ ${second}.5`, ' @ start()', ' @ end()', ` @ ${endS}`])
    }
    const offset = () => ` offset ${this.#random.pick(['1m', '-30s', '15s', '7s', '5m', '-1m', '30', '1h', '0s'])}`
    const die = this.#random.next()
    if (die < 0.75) return ''
    if (die < 0.83) return at()
    if (die < 0.93) return offset()
    return this.#random.chance(0.5) ? at() + offset() : offset() + at()
  }

  #matrix(depth: number): string {
    const { newerSyntax } = this.#options
    const range = this.#random.pick(RANGES)
    if (depth > 0 && this.#random.chance(0.3)) {
      const step = this.#random.pick(['', '15s', '30s', '1m', '45s', '7s', '2m'])
      const window = this.#random.pick(['1m', '2m', '5m', '10m', '97s'])
      return `${this.#operand(depth - 1)}[${window}:${step}]${this.#shift()}`
    }
    const extended = newerSyntax && this.#random.chance(0.1) ? this.#random.pick([' anchored', ' smoothed']) : ''
    const duration = this.#random.chance(0.05)
      ? this.#random.pick([
          '1m+30s',
          '2*1m',
          '(5m-1m)',
          '2^7',
          '5m%2m',
          '-(1m-3m)',
          '10m/4',
          ...(newerSyntax ? ['step()', 'range()/7'] : []),
        ])
      : range
    return `${this.#selector()}[${duration}]${extended}${this.#shift()}`
  }

  #scalar(depth: number): string {
    const die = this.#random.next()
    if (depth <= 0 || die < 0.6) return this.#random.pick(NUMBERS)
    return this.#random.pick([
      () => 'time()',
      () => 'pi()',
      () => `scalar(${this.#vector(depth - 1)})`,
      () => `(${this.#scalar(depth - 1)} ${this.#random.pick(ARITHMETIC)} ${this.#scalar(depth - 1)})`,
      () => `(${this.#scalar(depth - 1)} ${this.#random.pick(COMPARISONS)} bool ${this.#scalar(depth - 1)})`,
      () => `-${this.#scalar(depth - 1)}`,
    ])()
  }

  #call(depth: number): string {
    const name = this.#random.pick(this.#functions)
    const { argumentTypes, variadic } = FUNCTIONS.get(name)!
    if (name === 'label_replace' && this.#random.chance(0.8)) {
      const [to, text, from, regex] = [
        this.#random.pick(['"a"', '"new"', '"__name__"', '"b"', '"x y"']),
        this.#random.pick(['"q$1"', '"$1"', '""', '"$a"', `"$\{1}z"`, '"const"', '"$$1"', '"$2"']),
        this.#random.pick(['"a"', '"b"', '"__name__"', '"none"', '"le"']),
        this.#random.pick(['"(x|y)"', '"(.*)"', '"(?P<a>.)"', '""', '"x"', '"(.)(.*)"', '"[xy"']),
      ]
      return `label_replace(${this.#vector(depth - 1)}, ${to}, ${text}, ${from}, ${regex})`
    }
    if (name === 'label_join' && this.#random.chance(0.8)) {
      const sources = Array.from({ length: this.#random.below(4) }, () =>
        this.#random.pick(['"a"', '"b"', '"__name__"', '"none"']),
      )
      return `label_join(${[this.#vector(depth - 1), this.#random.pick(['"a"', '"new"', '"__name__"', '""']), this.#random.pick(['"-"', '""']), ...sources].join(', ')})`
    }
    if (name === 'info') {
      return `info(${this.#vector(depth - 1)}${this.#random.pick(['', '', ', {data=~".+"}', ', {__name__="target_info"}', ', {__name__=~".*_info"}', ', {version=~".+"}', ', {none="x"}', ', {data="two"}'])})`
    }
    if (name.startsWith('sort_by_label')) {
      return `${name}(${this.#vector(depth - 1)}${this.#random.pick([', "a"', ', "b", "a"', ', "le"', ', "none"', ''])})`
    }
    if (name.startsWith('histogram_') && this.#random.chance(0.6)) {
      const argument = this.#histogram(depth - 1)
      if (name === 'histogram_quantile')
        return `${name}(${this.#random.pick(['0.5', '0.9', '0', '1', '-0.1', '1.5', 'NaN', '0.25'])}, ${argument})`
      if (name === 'histogram_fraction') {
        return `${name}(${this.#random.pick(['0', '-1', '-Inf', '0.5', 'NaN', '2'])}, ${this.#random.pick(['0', '1.7', '100', 'Inf', '0.2', 'NaN'])}, ${argument})`
      }
      if (argumentTypes.length === 1) return `${name}(${argument})`
    }
    let count = argumentTypes.length
    if (variadic > 0) count -= this.#random.below(Math.min(variadic, argumentTypes.length) + 1)
    if (variadic < 0) count += this.#random.below(3)
    if (this.#random.chance(0.01)) count += this.#random.pick([-1, 1])
    const texts = Array.from({ length: Math.max(0, count) }, (_, i) =>
      this.#expression((argumentTypes[Math.min(i, argumentTypes.length - 1)] as Kind) ?? 'scalar', depth - 1),
    )
    return `${name}(${texts.join(', ')})`
  }

  #histogram(depth: number): string {
    const metric = () => `${this.#random.pick(HISTOGRAM_METRICS)}${this.#random.pick(['', '', '{a="x"}', '{b="1"}'])}`
    return this.#random.pick([
      () => metric() + this.#shift(),
      () =>
        `${this.#random.pick(['rate', 'increase', 'delta', 'irate', 'idelta', 'sum_over_time', 'avg_over_time', 'last_over_time'])}(${metric()}[${this.#random.pick(RANGES)}]${this.#shift()})`,
      () =>
        `${this.#random.pick(['sum', 'avg', 'sum by (a)', 'avg without (b)'])} (${depth > 0 ? this.#histogram(depth - 1) : metric()})`,
      () =>
        `${metric()} ${this.#random.pick(['+', '-', '==', '!='])} ${this.#random.pick(['', 'on (a, b) ', 'ignoring (job) '])}${metric()}`,
      () => `${metric()} ${this.#random.pick(['*', '/'])} ${this.#random.pick(NUMBERS)}`,
      () => this.#buckets(depth),
      () => `{__name__=~"${this.#random.pick(['native.*', 'latency.*', 'lat.*|native', 'events_total|native'])}"}`,
    ])()
  }

  #buckets(depth: number): string {
    const metric = this.#random.pick(BUCKET_METRICS)
    const source = this.#random.pick([
      metric,
      `rate(${metric}[${this.#random.pick(RANGES)}])`,
      `sum by (le) (${metric})`,
      `sum by (a, le) (rate(${metric}[5m]))`,
      `${metric}{le!="+Inf"}`,
    ])
    if (this.#random.chance(0.2)) return `histogram_fraction(${this.#scalar(0)}, ${this.#scalar(0)}, ${source})`
    return `histogram_quantile(${this.#random.chance(0.5) ? '0.9' : this.#scalar(depth - 1)}, ${source})`
  }

  #aggregation(depth: number): string {
    const inner = this.#expression('vector', depth - 1)
    const labels = () => Array.from({ length: this.#random.below(3) }, () => this.#random.pick(LABELS)).join(', ')
    const grouping = this.#random.chance(0.3) ? '' : `${this.#random.pick(['by', 'by', 'without'])} (${labels()})`
    let argument = inner
    let name = this.#random.pick(AGGREGATIONS)
    if (this.#random.chance(0.4)) {
      name = this.#random.pick(this.#parameterAggregations)
      const parameter =
        name === 'count_values'
          ? this.#random.pick(['"v"', '"v"', '"a"', '"le"', '"x y"', '""', '"__name__"'])
          : name === 'quantile' || name === 'limit_ratio'
            ? this.#random.pick([
                '0.5',
                '0.9',
                '0',
                '1',
                '-0.5',
                '-1',
                '1.5',
                '-2',
                'NaN',
                'Inf',
                '0.1',
                this.#scalar(1),
              ])
            : this.#random.pick(['1', '2', '3', '0', '-1', '1.9', '100', 'NaN', 'Inf', '1e30', this.#scalar(1)])
      argument = this.#random.chance(0.01) ? inner : `${parameter}, ${inner}`
    }
    return this.#random.chance(0.5) ? `${name} ${grouping} (${argument})` : `${name}(${argument}) ${grouping}`
  }

  /** Both sides often the same metric, so that there is something to match. */
  #binary(depth: number): string {
    const { newerSyntax } = this.#options
    const set = this.#random.chance(0.2)
    const comparison = !set && this.#random.chance(0.4)
    let operator = this.#random.pick(set ? SETS : comparison ? COMPARISONS : ARITHMETIC)
    if (newerSyntax && this.#random.chance(0.05)) operator = this.#random.pick(['</', '>/'])
    if (comparison && this.#random.chance(0.4)) operator += ' bool'
    else if (this.#random.chance(0.01)) operator += ' bool'
    const die = this.#random.next()
    if (die < 0.3) {
      const [vector, scalar] = [this.#operand(depth - 1), this.#scalar(depth - 1)]
      return this.#random.chance(0.6) ? `${vector} ${operator} ${scalar}` : `${scalar} ${operator} ${vector}`
    }
    if (die < 0.5) {
      // Metrics of the same series, so that most have a partner.
      const [one, other] = [this.#metric(), this.#metric()].map((name) =>
        name === '{"some.utf8 name"}' ? 'gauge' : name,
      )
      return `${one}${this.#shift()} ${operator} ${this.#matching(set)}${other}${this.#shift()}`
    }
    const left = this.#operand(depth - 1)
    const right = this.#random.chance(0.3) ? left : this.#operand(depth - 1)
    const side = this.#matching(set)
    if (side.includes('group_left') && this.#random.chance(0.7)) {
      return `${left} ${operator} ${side}max by (a, b) (${right})`
    }
    return `${left} ${operator} ${side}${right}`
  }

  #matching(set: boolean): string {
    const list = () => Array.from({ length: this.#random.below(3) }, () => this.#random.pick(LABELS)).join(', ')
    const on = this.#random.pick([
      '',
      '',
      'on (a, b) ',
      'on (a) ',
      'ignoring (le) ',
      `on (${list()}) `,
      `ignoring (${list()}) `,
    ])
    if (on === '' || (set && this.#random.chance(0.98))) return on
    const group = this.#random.pick([
      '',
      '',
      `group_left (${list()}) `,
      `group_right (${list()}) `,
      'group_left ',
      'group_right () ',
    ])
    const fill =
      this.#options.newerSyntax && this.#random.chance(0.1)
        ? this.#random.pick(['fill (0) ', 'fill_left (1) ', 'fill_right (NaN) '])
        : ''
    return on + group + fill
  }

  #operand(depth: number): string {
    const text = this.#expression('vector', depth)
    return /^[\w{}=~"|.]+$/.test(text) ? text : `(${text})`
  }
}
