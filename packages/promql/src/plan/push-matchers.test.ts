import { Labels } from '@varve/tsdb-core/model'
import type { SelectRequest } from '@varve/tsdb-core/query'
import { MemoryQueryable } from '@varve/tsdb-core/testing'
import { describe, expect, it } from 'vitest'
import { Engine } from '../engine/engine.js'
import { Dice, generateSeries } from '../engine/generated.js'
import { PromqlError } from '../errors.js'

const SEED = Number(process.env.SEED ?? 20261122)
const engine = new Engine()

/** What a query asks of its store: the matchers of each select but the name's, in the order of selects. */
async function askedFor(query: string): Promise<string[]> {
  const store = new MemoryQueryable()
  const asked: string[] = []
  const select = store.select.bind(store)
  store.select = (request: SelectRequest) => {
    const others = request.matchers.filter(({ name }) => name !== '__name__')
    asked.push(others.map(({ name, operator, value }) => `${name}${operator}${value}`).join(','))
    return select(request)
  }
  await engine.instantQuery({ queryable: store, query, timeMs: 0 })
  return asked
}

describe('matchers of one operand', () => {
  it.each([
    ['a{x="1"} / b', ['x=1', 'x=1']],
    ['a / b{x="1"}', ['x=1', 'x=1']],
    ['a{x="1"} + b{x!="2"}', ['x=1,x!=2', 'x!=2,x=1']],
    ['a{x="1",y="2"} / on (y) sum by (y) (b)', ['x=1,y=2', 'y=2']],
    ['rate(a_total[5m]) * on (y) group_left () max by (y) (b{y="2"})', ['y=2', 'y=2']],
    ['sum by (x) (a{x="1",y="2"}) / sum by (x) (b)', ['x=1,y=2', 'x=1']],
    ['sum without (y) (a{x="1",y="2"}) / ignoring (z) sum without (y, z) (b)', ['x=1,y=2', 'x=1']],
    ['(1 - abs(a{x="1"})) < 2 * -b', ['x=1', 'x=1']],
    ['a{x="1"} and on (x) b', ['x=1', 'x=1']],
    ['a and on (x) b{x="1"}', ['x=1', 'x=1']],
    ['a{x="1"} unless b', ['x=1', 'x=1']],
    ['max_over_time((a{x="1"} * b)[5m:1m])', ['x=1', 'x=1']],
  ])('of %s are asked for on both sides', async (query, selects) => {
    expect(await askedFor(query)).toEqual(selects)
  })

  it.each([
    ['a{x="1"} or b', ['x=1', '']],
    ['a unless b{x="1"}', ['', 'x=1']],
    ['a{x="1"} / ignoring (x) b', ['x=1', '']],
    ['a{x="1"} / on (y) b', ['x=1', '']],
    // Twins on the side of one are an error, even those that meet nothing.
    ['a{x="1"} / on (x) b', ['x=1', '']],
    ['a / on (x) group_right b{x="1"}', ['', 'x=1']],
    ['a{x="1"} / on (x) group_right b', ['x=1', '']],
    ['a * on (x) group_left (z) b{x="1"}', ['', 'x=1']],
    ['rate(a_total[5m]) * on (y) group_left (z) max by (y, z) (b{y="2"})', ['', 'y=2']],
    ['a{x="1"} / {__name__=~"b|c"}', ['x=1', '']],
    ['a{x="1"} / topk(3, b)', ['x=1', '']],
    ['a{x="1"} / label_replace(b, "x", "1", "y", "2")', ['x=1', '']],
    ['a{x="1"} / count_values("x", b)', ['x=1', '']],
    ['a{x="1"} / absent(b)', ['x=1', '']],
    ['a{x="1"} / fill (0) b', ['x=1', '']],
    ['sum(a{x="1"}) / sum(b)', ['x=1', '']],
    ['rate(a[5m]) / b{x="1"}', ['', 'x=1']],
    ['a{x="1"} / vector(1)', ['x=1']],
  ])('of %s stay where they are', async (query, selects) => {
    expect(await askedFor(query)).toEqual(selects)
  })

  it('hide no twins on the side that may have one, where the other side has series that meet nothing', async () => {
    const store = new MemoryQueryable()
    store.append(Labels.from({ __name__: 'a', x: '2' }), 600_000, 1)
    for (const y of ['1', '2']) store.append(Labels.from({ __name__: 'b', x: '1', y }), 600_000, 1)
    for (const query of ['a * on (x) b{x="1"}', 'a * on (x) group_left b{x="1"}', 'b{x="1"} * on (x) group_right a']) {
      expect(await linesOf(store, query)).toMatch(/many-to-many matching not allowed/)
    }
  })

  it('change no answer', async () => {
    const dice = new Dice(SEED)
    const matchers = ['', '{job="api"}', '{instance=~"i[01]"}', '{zone!=""}', '{zone=""}']
    const side = () => {
      const range = dice.pick(['requests_total', 'errors_total']) + dice.pick(matchers)
      const inner = dice.pick([range, `rate(${range}[5m])`, `-${range}`, `abs(${range})`, `(${range} * 2)`])
      return dice.pick([inner, inner, `sum by (job, instance) (${inner})`, `max without (zone) (${inner})`])
    }
    let answered = 0
    for (let round = 0; round < 150; round++) {
      const store = new MemoryQueryable()
      for (const { labels, samples } of generateSeries(dice)) {
        for (const { timeMs, value } of samples) if (typeof value === 'number') store.append(labels, timeMs, value)
      }
      const [left, right] = [side(), side()]
      const operator = dice.pick(['+', '/', '>', '== bool', 'and', 'or', 'unless'])
      const clauses = [
        '',
        'on (job, instance)',
        'ignoring (zone)',
        'on (job)',
        'on (job) group_left ()',
        'on (job) group_right ()',
      ]
      const clause = dice.pick(clauses)
      const asked = `(${left}) ${operator} ${clause} (${right})`
      // A relabelling that changes nothing lets nothing through.
      const still = (text: string) => `label_replace(${text}, "job", "$1", "job", "none(.*)")`
      const [got, want] = await Promise.all(
        [asked, `${still(left)} ${operator} ${clause} ${still(right)}`].map((query) => linesOf(store, query)),
      )
      if (typeof want === 'string') {
        expect(got, `SEED=${SEED} round ${round}: ${asked}`).toBeTypeOf('string')
        continue
      }
      expect(got, `SEED=${SEED} round ${round}: ${asked}`).toEqual(want)
      if (want.length > 0) answered++
    }
    expect(answered).toBeGreaterThan(40)
  })
})

async function linesOf(queryable: MemoryQueryable, query: string): Promise<string[] | string> {
  try {
    const times = { startMs: 600_000, endMs: 3_600_000, stepMs: 600_000 }
    const { series } = await engine.rangeQuery({ queryable, query, ...times })
    return Array.from({ length: series.count }, (_, i) => {
      const samples: string[] = []
      series.forEachSample(i, (timeMs, value) => samples.push(`${value}@${timeMs}`))
      return `${series.labels(i)} ${samples.join(' ')}`
    })
  } catch (error) {
    if (error instanceof PromqlError) return error.message
    throw error
  }
}
