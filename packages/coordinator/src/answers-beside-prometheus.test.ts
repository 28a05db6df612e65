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

/**
 * Times and timeouts that are no numbers, `_` in numbers, steps below a millisecond, which two of many values; the tree has
 * more fields in 3.14; a slash and bad bytes in a path.
 */
const UNLIKE =
  /time=(NaN|Inf|1_0)|timeout=NaN|step=0.0001|values\?limit=2|^parse_query\?query=(?!$|foo\(|%22|1|0)|%2F|%ff\/|a%20%2B%20on/

/** Calls with good and bad parameters; START and END are those of the data, in seconds. */
const API_CALLS: readonly (readonly [path: string, parameters: string])[] = [
  ...['query', 'query_range'].flatMap((path): [string, string][] => {
    const time = path === 'query' ? 'time=END' : 'start=START&end=END&step=600'
    return [
      [path, ''],
      [path, time],
      [path, `query=&${time}`],
      [path, `query=up%20up&${time}`],
      [path, `query=constant&${time}`],
      [path, `query=constant&${time}&limit=2`],
      [path, `query=constant&${time}&limit=-1`],
      [path, `query=constant&${time}&limit=x`],
      [path, `query=constant&${time}&limit=1.5`],
      [path, `query=constant&${time}&limit=99999999999999999999`],
      [path, `query=constant&${time}&limit=%2B2`],
      [path, `query=constant&${time}&timeout=x`],
      [path, `query=constant&${time}&timeout=1s`],
      [path, `query=constant&${time}&timeout=-1s`],
      [path, `query=constant&${time}&timeout=0.5`],
      [path, `query=constant&${time}&timeout=1d1h`],
      [path, `query=constant&${time}&timeout=1h1d`],
      [path, `query=constant&${time}&timeout=1e30`],
      [path, `query=constant&${time}&timeout=Inf`],
      [path, `query=constant&${time}&timeout=NaN`],
      [path, `query=constant&${time}&lookback_delta=x`],
      [path, `query=constant&${time}&lookback_delta=1s`],
      [path, `query=constant&${time}&lookback_delta=-1s`],
      [path, `query=constant&${time}&lookback_delta=0`],
      [path, `query=constant&${time}&lookback_delta=30`],
      [path, `query=1&${time}`],
      [path, `query=%22text%22&${time}`],
      [path, `query=gauge[1m]&${time}`],
      [path, `query=constant%20/%200&${time}`],
      [path, `query=vector(1)&${time}&query=vector(2)`],
      [path, `query=foo(&${time}`],
      [path, `query={}&${time}`],
      [path, `query=rate(x)&${time}`],
      [path, `query=%F0%9F%98%80&${time}`],
      [path, `query=%ff&${time}`],
      [path, `query=count_values(%22%22,constant)&${time}`],
      [path, `query=label_replace(constant,%22%22,%22%22,%22a%22,%22%22)&${time}`],
      [path, `query=constant%20%2B%20on()%20constant&${time}`],
    ]
  }),
  ...[
    'time=x',
    'time=',
    'time=1e3',
    'time=-1',
    'time=0',
    'time=NaN',
    'time=Inf',
    'time=1e400',
    'time=2023-11-14T22:00:00Z',
  ].map((time): [string, string] => ['query', `query=vector(1)${time === 'time=' ? '&time=END' : `&${time}`}`]),
  ...[
    '2023-11-14T22:00:00',
    '2023-11-14',
    '2023-11-14T22:00:00.123456789Z',
    '2023-11-14T22:00:00%2B01:00',
    '1700000000.1239',
    '0x10',
    '1_0',
    '%201',
  ].map((time): [string, string] => ['query', `query=vector(1)&time=${time}`]),
  ...[
    'start=START&end=END',
    'start=END&end=START&step=1',
    'start=START&end=END&step=0',
    'start=START&end=END&step=-1',
    'start=START&end=END&step=x',
    'start=START&end=END&step=NaN',
    'start=START&end=END&step=Inf',
    'start=START&end=END&step=1e18',
    'start=START&end=END&step=0.1',
    'start=START&end=END&step=0.0001',
    'start=START&end=END&step=5m',
    'start=START&end=END&step=5m30',
    'start=START&end=START&step=5',
    'start=x&end=END&step=5',
    'start=START&end=y&step=5',
    'end=END&step=5',
    'start=START&step=5',
  ].map((range): [string, string] => ['query_range', `query=vector(1)&${range}`]),
  ...[
    '',
    'query=',
    'query=foo(',
    'query=foo%2Fbar',
    'query=sum%20by(a)(rate(x[5m]))',
    'query=%22a%22',
    'query=1e3',
    'query=a%20%2B%20on(b)%20group_left(c)%20d',
    'query={%22a%20b%22,c=~%22d%22}',
    'query=x%20@%20start()%20offset%201h',
    'query=-1%5E2',
    'query=x[5m:]',
    'query=x[5m:1m]%20offset%20-1d',
    'query=topk(5,%20x)%20without%20(a)',
    'query=%22\\x41%22',
    'query=x%20and%20ignoring()%20y',
    'query=0x1F',
    'query=1h30m',
    'query=((x))',
    'query=%23c%0Ax',
  ].flatMap((query): [string, string][] => [
    ['format_query', query],
    ['parse_query', query],
  ]),
  ...[
    'labels',
    'label/a/values',
    'label/le/values',
    'label/__name__/values',
    'label/none/values',
    'label/dotted.label/values',
    'label/U__dotted_2e_label/values',
  ].flatMap((path): [string, string][] => [
    [path, ''],
    [path, 'start=START&end=END'],
    [path, 'match[]=constant'],
    [path, 'match[]=constant&match[]=gauge&start=START&end=END'],
    [path, 'match[]={}'],
    [path, 'match[]='],
    [path, 'match[]=a%2Bb'],
    [path, 'match[]={a=%22%22}'],
    [path, 'match[]={job=~%22.%2B%22}'],
    [path, 'match[]=missing'],
    [path, 'limit=2'],
    [path, 'limit=0'],
    [path, 'limit=-1'],
    [path, 'limit=x'],
    [path, 'limit=2&match[]=constant&match[]=gauge'],
    [path, 'start=x'],
    [path, 'end=x'],
    [path, 'start=END&end=START'],
    [path, 'start=1&end=2'],
  ]),
  ...[
    '',
    'match[]=',
    'match[]={}',
    'match[]=constant',
    'match[]=constant&limit=2',
    'match[]=constant&limit=x',
    'match[]=constant&limit=-2',
    'match[]=constant&match[]={a=%22x%22,job=%22j%22}',
    'match[]=constant&start=x',
    'match[]=constant&end=x',
    'match[]=constant&start=END&end=START',
    'match[]=constant&start=1&end=2',
    'match[]=a%2Bb',
    'match[]=missing',
    'match[]={__name__=~%22const.*%22}',
    'match[]={%22some.utf8%20name%22}',
    'match[]=constant[5m]',
    'match[]=constant%20offset%205m',
  ].map((text): [string, string] => ['series', text]),
  ...[
    '',
    'limit=1',
    'limit=0',
    'limit=-1',
    'limit=x',
    'limit_per_metric=x',
    'limit_per_metric=1',
    'metric=none',
    'metric=',
  ].map((text): [string, string] => ['metadata', text]),
  ...[
    '',
    'query=',
    'query=up',
    'query=up(',
    'query=1',
    'query=up&start=x',
    'query=up&end=x',
    'query=up&start=2&end=1',
    'query=rate(up[5m])&start=1&end=2',
    'query={}',
  ].map((text): [string, string] => ['query_exemplars', text]),
  ...[
    'label//values',
    'label/a%2Fb/values',
    'label/%ff/values',
    'label/a%20b/values',
    'nothing',
    'rules',
    'alerts',
    'status/flags/x',
  ].map((path): [string, string] => [path, '']),
]

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
      // It also keeps the first of several places, where 3.5 kept the last.
      .replace(/(needed to be fixed for monotonicity.*?)(, from buckets .*)? \(\d+:\d+\)$/, '$1')
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
      (theirs.status === 200 || /^(Scalar|Ratio) value/.test(theirs.body.error ?? '')),
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
  {
    why: 'last_over_time gave names back that were dropped inside of a subquery',
    holds: (_, __, query) => /\b(last|first)_over_time\(.*:/.test(query),
  },
  {
    why: 'the rate of a histogram could reach back beyond zero',
    holds: (_, __, query) => /\b(rate|increase)\(.*native_gauge/.test(query),
  },
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
  {
    why: 'which of equal values is taken depends on the order of series, and often on that of a map',
    holds: (ours, theirs, query) =>
      /\b(topk|bottomk|limitk)\b/.test(query) &&
      (/histogram_quantile/.test(query) || pointCount(ours) === pointCount(theirs)),
  },
  {
    why: 'the rate of a histogram could reach back beyond zero, also behind a reset where buckets go away',
    holds: (_, __, query) =>
      /\b(rate|increase)\(.*(native\b|native_nan|native_negative|native_zero|latency)/.test(query),
  },
  {
    why: 'a comparison inside of histogram_count looked at buckets',
    holds: (_, __, query) => /histogram_(count|sum|avg)\(.*[!=]=/.test(query),
  },
  {
    why: 'what is the same at every step was taken to be so whatever the parameter',
    holds: (_, __, query) => /\b(topk|bottomk|limitk|limit_ratio|quantile)\b.*@/.test(query),
  },
]

function pointCount({ body }: ApiAnswer): number {
  const result = (body.data?.result ?? []) as { values?: unknown[]; histograms?: unknown[] }[]
  return result.reduce(
    (sum, { values, histograms }) =>
      sum + (values?.length ?? 0) + (histograms?.length ?? 0) + (values || histograms ? 0 : 1),
    0,
  )
}

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
  test('the API takes parameters alike', async () => {
    const problems: string[] = []
    for (const [path, text] of API_CALLS) {
      const parameters = text.replaceAll('START', String(START_MS / 1000)).replaceAll('END', String(END_MS / 1000))
      const answers = await Promise.all(
        [store, prometheus].map(async ({ url }) => {
          const response = await fetch(`${url}/api/v1/${path}?${parameters}`)
          const type = response.headers.get('content-type')?.split(';')[0]
          const body = await response.text()
          // Read and written again: Go escapes more characters.
          return `${response.status} ${type} ${body.startsWith('{') ? JSON.stringify(JSON.parse(body)) : body.trim()}`
        }),
      )
      const [ours, theirs] = answers
      if (ours === theirs || UNLIKE.test(`${path}?${text}`)) continue
      const problem = `${path}?${text}\n  ours   ${ours.slice(0, 600)}\n  theirs ${theirs.slice(0, 600)}`
      if (REPORT) appendFileSync(REPORT, `${problem}\n`)
      problems.push(problem)
    }
    expect(problems).toEqual([])
  })

  /** Lines of queries that someone wants to see compared, at PARAMETERS. */
  const asked = (process.env.QUERY ?? '').split('\n').filter((line) => line !== '')
  test.each(asked)('%s', async (query) => {
    const parameters = JSON.parse(process.env.PARAMETERS ?? `{"time":"${END_MS / 1000 - 600}"}`) as Record<
      string,
      string
    >
    const path = 'time' in parameters ? 'query' : 'query_range'
    const found = await difference(query, parameters)
    if (found === undefined) return
    for (const { url } of [store, prometheus]) {
      console.log(JSON.stringify(await askApi(url, path, { query, ...parameters })))
    }
    expect(found).toBeUndefined()
  })

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
