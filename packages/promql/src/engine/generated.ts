/** Generated series and queries for property tests, as a function of one seed. */
import { Labels } from '@varve/tsdb-core/model'

export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** In [0, 1). */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]
  }

  chance(share: number): boolean {
    return this.fraction() < share
  }
}

export interface GeneratedSeries {
  readonly labels: Labels
  readonly samples: readonly { readonly timeMs: number; readonly value: number | 'stale' }[]
}

export const LAST_MS = 3_600_000

/** Counters and gauges of a few targets; some with gaps, resets, NaN, infinities and staleness markers. */
export function generateSeries(dice: Dice): GeneratedSeries[] {
  const all: GeneratedSeries[] = []
  const stepMs = dice.pick([10_000, 15_000, 60_000])
  for (const name of ['requests_total', 'errors_total', 'load']) {
    const instances = 1 + dice.below(4)
    for (let instance = 0; instance < instances; instance++) {
      const labels = Labels.from({
        __name__: name,
        instance: `i${instance}`,
        job: instance % 2 === 0 ? 'api' : 'web',
        ...(dice.chance(0.3) && { zone: dice.pick(['a', 'b']) }),
      })
      all.push({ labels, samples: samplesOf(dice, name !== 'load', stepMs) })
    }
  }
  return all
}

function samplesOf(dice: Dice, isCounter: boolean, stepMs: number): GeneratedSeries['samples'] {
  const samples: { timeMs: number; value: number | 'stale' }[] = []
  const odd = dice.chance(0.25)
  const jitterMs = dice.chance(0.3) ? 2_000 : 0
  let value = dice.below(1000)
  // Half of the series have samples on the very borders of windows.
  for (let timeMs = dice.chance(0.5) ? 0 : dice.below(stepMs); timeMs <= LAST_MS; timeMs += stepMs) {
    if (dice.chance(0.02)) timeMs += stepMs * dice.below(40)
    if (isCounter) value = dice.chance(0.01) ? dice.below(10) : value + dice.below(50)
    else value = dice.below(4000) / 8 - 100
    const strange = odd && dice.chance(0.05)
    const written = strange ? dice.pick([Number.NaN, Infinity, -Infinity, 'stale', 0, -0] as const) : value
    samples.push({ timeMs: timeMs + dice.below(jitterMs + 1), value: written })
  }
  return samples
}

const RANGES = ['1m', '5m', '17m', '1h']
const OVER_TIME = [
  'rate',
  'increase',
  'delta',
  'irate',
  'idelta',
  'resets',
  'changes',
  'deriv',
  'avg_over_time',
  'sum_over_time',
  'min_over_time',
  'max_over_time',
  'count_over_time',
  'last_over_time',
  'first_over_time',
  'stddev_over_time',
  'present_over_time',
  'ts_of_max_over_time',
  'mad_over_time',
  'absent_over_time',
]

/** A vector expression, nested at most so deep. */
export function generateQuery(dice: Dice, depth = 3): string {
  const inner = () => generateQuery(dice, depth - 1)
  if (depth === 0 || dice.chance(0.15)) return selector(dice)
  switch (dice.below(13)) {
    case 0:
    case 1:
      return `${dice.pick(OVER_TIME)}(${rangeSelector(dice)})`
    case 2:
      return `${dice.pick(OVER_TIME)}((${inner()})[${dice.pick(['5m', '20m'])}:${dice.pick(['', '30s', '1m', '7m'])}])`
    case 3:
      return `quantile_over_time(${dice.pick(['0.5', '0.9', 'scalar(load{instance="i0"})'])}, ${rangeSelector(dice)})`
    case 4:
      return `predict_linear(${rangeSelector(dice)}, 600)`
    case 5:
    case 6: {
      const operator = dice.pick(['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar', 'quantile(0.7, '])
      const argument = operator.endsWith('(0.7, ') ? '' : '('
      return `${operator.replace('(0.7, ', '')}${clause(dice)}${argument === '' ? '(0.7, ' : '('}${inner()})`
    }
    case 7:
      return `${dice.pick(['topk', 'bottomk', 'limitk'])}${clause(dice)}(2, ${inner()})`
    case 8:
      return `${inner()} ${dice.pick(['+', '*', '/', '%', '>', '<=', '!=', '== bool'])} ${dice.pick(['2', '-0.5', '100'])}`
    case 9:
      return `sum by (job) (${inner()}) ${dice.pick(['+', '-', '/', '> bool', '<'])} on (job) sum by (job) (${inner()})`
    case 10:
      return `${inner()} ${dice.pick(['and', 'or', 'unless'])} on (job, instance) ${inner()}`
    case 11:
      return `${dice.pick(['abs', 'ceil', 'sgn', 'sqrt', 'timestamp', 'hour'])}(${inner()})`
    default:
      return dice.pick([
        `clamp(${inner()}, 0, 50)`,
        `label_replace(${inner()}, "shard", "$1", "instance", "i(.)")`,
        `absent(${inner()})`,
        `-${selector(dice)}`,
        `count_values("v", ${inner()})`,
        `sort(${inner()})`,
      ])
  }
}

function selector(dice: Dice): string {
  const name = dice.pick(['requests_total', 'errors_total', 'load', 'nothing'])
  const matchers = dice.pick(['', '', '{job="api"}', '{instance=~"i[01]"}', '{zone!=""}'])
  return `${name}${matchers}${shift(dice)}`
}

function rangeSelector(dice: Dice): string {
  const name = dice.pick(['requests_total', 'errors_total', 'load'])
  return `${name}${dice.pick(['', '{job="api"}'])}[${dice.pick(RANGES)}]${shift(dice)}`
}

function shift(dice: Dice): string {
  return dice.pick(['', '', '', '', ' offset 3m', ' offset -2m', ' @ 1800', ' @ 1800 offset 1m'])
}

function clause(dice: Dice): string {
  return dice.pick(['', ' by (job)', ' by (job, instance)', ' without (instance)', ' by (zone)'])
}
