/**
 * Generated queries over HTTP, of a newer Prometheus and of us, over the same generated samples: values, order, errors, warnings
 * and infos. `docs/promql-differences.md` explains what `EXPLAINED` passes over.
 *
 *     eval "$(tools/newer-prometheus.sh DIR)" && QUERIES=20000 SEED=7 npx vitest run packages/coordinator/src/answers-beside-prometheus.test.ts
 */
import { appendFileSync } from 'node:fs'
import { childrenOf, type Expression, parseExpression, printExpression } from '@varve/promql'
import { generatedSeries, SeededRandom, WideQueryGenerator, wideSeries } from '@varve/promql/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiAnswer, askApi, differenceOfApiAnswers } from './testing/api-answers.js'
import { startCoordinator, type TestCoordinator } from './testing/start-coordinator.js'
import { prometheusBinaries, type RunningPrometheus, startPrometheus } from './testing/start-prometheus.js'
import { writeLoad } from './testing/write-load.js'

const SEED = Number(process.env.SEED ?? 1)
const QUERIES = Number(process.env.QUERIES ?? 400)
/** Differences are written here, too, as they are found. */
const REPORT = process.env.REPORT
const START_MS = 1_699_999_200_000
const END_MS = START_MS + 40 * 60_000
const FEATURES =
  'promql-experimental-functions,native-histograms,exemplar-storage,promql-delayed-name-removal,promql-duration-expr,metadata-wal-records'

/** What Prometheus 3.5 does not have yet. */
const NEWER = [
  'histogram_quantiles',
  'first_over_time',
  'ts_of_first_over_time',
  'max_of',
  'min_of',
  'start',
  'end',
  'range',
  'step',
  'start_timestamp',
]

/** Texts that Prometheus changed between 3.5 and 3.14, without what changed. */
function sinceThen(answer: ApiAnswer, query: string): ApiAnswer {
  // Parentheses around an argument were part of it.
  const inner = (_: string, line: string, column: string) =>
    line === '1' ? `(1:${Number(column) + /^[( ]*/.exec(query.slice(Number(column) - 1))![0].length})` : _
  const plain = (text: string) =>
    text
      .replace(' for metric name ""', '')
      .replace(/, from buckets .* over \d+ samples from \S+ to \S+/, '')
      .replace(/\((\d+):(\d+)\)$/, inner)
  const { warnings = [], infos = [], ...rest } = answer.body
  // Which of several groups is named depends on the order in which a store finds series.
  const { error } = rest
  const named = error?.startsWith('found duplicate series')
    ? { error: error.replace(/\{.*\]/, '') }
    : error?.includes('"<Item ')
      ? { error: error.replace(/"<Item \d+>" /, '') }
      : {}
  return {
    ...answer,
    body: {
      ...rest,
      ...named,
      warnings: warnings
        .map(plain)
        .filter((text) => !/sort is ineffective|conflicting counter resets|is not a (counter|gauge)/.test(text)),
      infos: infos.map(plain),
    },
  }
}

/** Differences that docs/promql-differences.md explains. */
const EXPLAINED: readonly {
  readonly why: string
  readonly holds: (ours: ApiAnswer, theirs: ApiAnswer, query: string) => boolean
}[] = [
  {
    why: 'the parameter of topk and its kin was only looked at where there were series, and NaN overflowed',
    holds: ({ body }, theirs) =>
      /^(Scalar|Ratio|Parameter) value/.test(body.error ?? '') &&
      (theirs.status === 200 || /^Scalar value/.test(theirs.body.error ?? '')),
  },
  {
    why: 'histograms with other custom buckets, and NaN observations, were treated otherwise',
    holds: ({ body }) => (body.infos ?? []).some((text) => /mismatched custom buckets|NaN observations/.test(text)),
  },
  { why: 'the first classic bucket had no lower border', holds: (_, __, query) => /histogram_fraction/.test(query) },
  {
    why: 'parts of dates that are NaN',
    holds: (_, __, query) => /\b(hour|minute|month|year|day_of_\w+|days_in_month)\(/.test(query),
  },
  {
    why: 'info() left out series without identifying labels',
    holds: (_, __, query) => /\binfo\(.*\{.*__name__/.test(query),
  },
  {
    why: 'a matcher holds on both sides of a match, and of several infos of a step only one was kept',
    holds: (ours, theirs) =>
      JSON.stringify(ours.body.data) === JSON.stringify(theirs.body.data) && ofOperator(ours, theirs),
  },
  {
    why: 'several matches were no error where a filter drops them',
    holds: ({ body }, { status }) => status === 200 && /^multiple matches for labels/.test(body.error ?? ''),
  },
  { why: 'info() changed otherwise, too', holds: (_, __, query) => /\binfo\(/.test(query) },
  { why: 'NaN was the least value', holds: (_, __, query) => /mad_over_time/.test(query) },
  {
    why: 'other bounds were a reset',
    holds: (_, __, query) => /\b(resets|i?rate|increase)\(.*native_custom/.test(query),
  },
  {
    why: 'of a gauge without its buckets, less is known of resets',
    holds: (_, __, query) => /histogram_(count|sum|avg)\(.*irate\(.*native_gauge/.test(query),
  },
  {
    why: 'last digits of deviations of large values',
    holds: (_, __, query) => /\bstd(dev|var)\b.*(time|big)/.test(query),
  },
  { why: 'Debian builds it with other hashes of labels', holds: (_, __, query) => /limit_ratio/.test(query) },
  {
    why: 'which of equal values is taken depends on the order of a map',
    holds: (_, __, query) => /\b(topk|bottomk|limitk)\b.*histogram_quantile/.test(query),
  },
]

/** Whether one of the two has no infos, or all that they do not share are of operators. */
function ofOperator(ours: ApiAnswer, theirs: ApiAnswer): boolean {
  const [own, other] = [ours, theirs].map(({ body }) => body.infos ?? [])
  const single = [...own.filter((text) => !other.includes(text)), ...other.filter((text) => !own.includes(text))]
  return single.length > 0 && (own.length === 0 || single.every((text) => text.includes('incompatible sample types')))
}

const newer = prometheusBinaries.filter(({ version }) => version >= 3.5)

test.skipIf(newer.length > 0)(
  'generated queries beside Prometheus 3.5 (skipped: VARVE_PROMETHEUS names none)',
  () => {},
)

describe.each(newer)(`generated queries, as Prometheus $version answers them (SEED=${SEED})`, ({ path: binary }) => {
  let store: TestCoordinator
  let prometheus: RunningPrometheus
  const random = new SeededRandom(SEED)

  beforeAll(async () => {
    const period = { startMs: START_MS, endMs: END_MS }
    const series = [...generatedSeries(random, period), ...wideSeries(random, period)].sort((one, other) =>
      one.labels.toString() < other.labels.toString() ? -1 : 1,
    )
    store = await startCoordinator({ yaml: 'self_scrape: off' })
    prometheus = await startPrometheus(() => 'scrape_configs: []', {
      binary,
      flags: [
        '--web.enable-remote-write-receiver',
        '--storage.tsdb.retention.time=100y',
        '--storage.tsdb.min-block-duration=1d',
        `--enable-feature=${FEATURES}`,
      ],
    })
    for (const { url } of [prometheus, store]) await writeLoad(url, series, 15_000)
  }, 120_000)

  afterAll(async () => {
    await prometheus?.stop()
    await store?.stop()
  })

  /** What differs between an instant or a range query of the two. */
  async function difference(query: string, parameters: Record<string, string>): Promise<string | undefined> {
    const path = 'time' in parameters ? 'query' : 'query_range'
    const [ours, theirs] = await Promise.all(
      [store, prometheus].map(async ({ url }) => sinceThen(await askApi(url, path, { query, ...parameters }), query)),
    )
    if (EXPLAINED.some((one) => one.holds(ours, theirs, query))) return undefined
    return differenceOfApiAnswers(ours, theirs, {
      ordered: path === 'query_range' || /^\s*sort_by_label(_desc)?\b/.test(query),
      byValue: path === 'query' && /^\s*sort(_desc)?\b/.test(query),
    })
  }

  /** The smallest part that differs, too. */
  async function shrunk(query: string, parameters: Record<string, string>): Promise<[string, string] | undefined> {
    const found = await difference(query, parameters)
    if (found === undefined) return undefined
    let expression: Expression
    try {
      expression = parseExpression(query)
    } catch {
      return [query, found]
    }
    for (const child of childrenOf(expression)) {
      const part = printExpression(child)
      const smaller = part === query ? undefined : await shrunk(part, parameters)
      if (smaller !== undefined) return smaller
    }
    return [query, found]
  }

  test('the answers are the same', { timeout: 3_600_000 }, async () => {
    const [startS, endS] = [START_MS / 1000, END_MS / 1000]
    const generator = new WideQueryGenerator(random, { startS, endS, without: new Set(NEWER), newerSyntax: false })
    const problems = new Set<string>()
    for (let i = 0; i < QUERIES; i++) {
      const query = generator.query()
      const at = startS + 15 * random.below(180) + (random.chance(0.5) ? 0 : random.below(15))
      const parameters: Record<string, string> = random.chance(0.5)
        ? { time: String(at) }
        : { start: String(at), end: String(at + random.below(900)), step: random.pick(['15', '30', '60', '97', '7.5']) }
      const smaller = await shrunk(query, parameters)
      if (smaller === undefined) continue
      const [part, found] = smaller
      const text = `${part}\n  ${found}\n  ${JSON.stringify(parameters)}${part === query ? '' : `\n  of ${query}`}`
      if (REPORT && !problems.has(text)) appendFileSync(REPORT, `${text}\n`)
      problems.add(text)
    }
    expect([...problems]).toEqual([])
  })
})
