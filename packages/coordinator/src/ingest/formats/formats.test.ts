import { describe, expect, it } from 'vitest'
import { parseInfluxLines, parsePrecision } from './influx-line.js'
import { parseJsonLines } from './json-lines.js'
import { parsePrometheusText } from './prometheus-text.js'

const NOW = 1_700_000_000_000
type Row = { labels: unknown; value: number; timestampMs: number; nanBits?: bigint }
const shown = (rows: Iterable<Row | null>) =>
  [...rows]
    .filter((row) => row !== null)
    .map(
      ({ labels, value, timestampMs, nanBits }) =>
        `${labels} ${nanBits === undefined ? value : nanBits.toString(16)} ${timestampMs - NOW}`,
    )

const noPause = () => Promise.resolve()
const jsonRows = async (text: string) => {
  const rows: (Row | null)[] = []
  for await (const row of parseJsonLines(text, noPause)) rows.push(row)
  return rows
}

describe('JSON lines', () => {
  it('takes what export gives, with the numbers that JSON has not', async () => {
    const text = `{"metric":{"__name__":"up","__proto__":"p"},"values":[1,"NaN",null,"+Inf","-Inf","StaleNaN","NaN:0xfff8000000000123"],"timestamps":[${NOW},${NOW + 1},${NOW + 2},${NOW + 3},${NOW + 4},${NOW + 5},${NOW + 6}]}

{"histogramsLeftOut":3}
`
    expect(shown(await jsonRows(text))).toEqual([
      'up{__proto__="p"} 1 0',
      'up{__proto__="p"} 7ff8000000000001 1',
      'up{__proto__="p"} NaN 2',
      'up{__proto__="p"} Infinity 3',
      'up{__proto__="p"} -Infinity 4',
      'up{__proto__="p"} 7ff0000000000002 5',
      'up{__proto__="p"} fff8000000000123 6',
    ])
  })

  it.each([
    ['{"metric":', /line 2: no JSON/],
    ['[]', /line 2: wanted "metric"/],
    ['{"metric":{},"values":["NaN:0x3ff0000000000000"],"timestamps":[1]}', /line 2: value "NaN:0x3ff0000000000000"/],
    ['{"metric":{"a":1},"values":[],"timestamps":[]}', /line 2: wanted label "a" to be a text/],
    ['{"metric":{},"values":[1],"timestamps":[]}', /line 2: wanted "values" and "timestamps"/],
    ['{"metric":{},"values":[1],"timestamps":[1.5]}', /line 2: timestamp 1.5/],
    ['{"metric":{},"values":["x"],"timestamps":[1]}', /line 2: value "x"/],
    [
      '{"metric":{},"values":[1],"histograms":[{}],"timestamps":[1]}',
      /line 2: wanted "values" or "histograms", not both/,
    ],
    ['{"metric":{},"histograms":[{}],"timestamps":[]}', /line 2: wanted "histograms" and "timestamps"/],
    ['{"metric":{},"histograms":[7],"timestamps":[1]}', /line 2: histogram 0: wanted an object/],
    ['{"metric":{},"histograms":[{"sum":"x"}],"timestamps":[1]}', /histogram 0: wanted "sum" to be a number/],
    ['{"metric":{},"histograms":[{"schema":0.5}],"timestamps":[1]}', /wanted "schema" to be a whole number/],
    [
      '{"metric":{},"histograms":[{"positiveSpans":[[0]]}],"timestamps":[1]}',
      /"positiveSpans" to be a list of \[offset/,
    ],
    ['{"metric":{},"histograms":[{"negativeSpans":[[0,-1]]}],"timestamps":[1]}', /"negativeSpans" to be a list/],
    ['{"metric":{},"histograms":[{"positiveBuckets":[1,{}]}],"timestamps":[1]}', /"positiveBuckets" to be a list/],
    ['{"metric":{},"histograms":[{"positiveBuckets":[1.5]}],"timestamps":[1]}', /whole numbers, or "float" to be true/],
  ])('refuses %s', async (line, message) => {
    await expect(jsonRows(`\n${line}`)).rejects.toThrowError(message)
  })
})

describe('Prometheus text', () => {
  const rows = (text: string, openMetrics = false) =>
    shown(
      [...parsePrometheusText(text, { nowMs: NOW, openMetrics, extraLabels: [['job', 'push']] })].flatMap((item) =>
        item?.kind === 'sample' ? [item.row] : [],
      ),
    )

  it('reads values, labels, escapes and timestamps', () => {
    const text = [
      '# HELP a Help \\\\ text.',
      '# TYPE a counter',
      'a 1',
      `a{ x = "q\\"\\\\\\n" , job="own", } 2.5e3 ${NOW + 5}`,
      '  b{} NaN',
      'c +Inf\r',
      '{"name with.dots", "label.x"="ü"} -3',
      '# a comment',
      '',
    ].join('\n')
    expect(rows(text)).toEqual([
      'a{job="push"} 1 0',
      'a{job="own", x="q\\"\\\\\\n"} 2500 5',
      'b{job="push"} NaN 0',
      'c{job="push"} Infinity 0',
      'name with.dots{job="push", label.x="ü"} -3 0',
    ])
  })

  it('reads OpenMetrics: seconds, exemplars, units, the end', () => {
    const text = `# TYPE a counter\n# UNIT a seconds\na_total 1 ${NOW / 1000 + 1.5} # {trace_id="x"} 0.5 ${NOW / 1000}\n# EOF\nrest`
    const items = [...parsePrometheusText(text, { nowMs: NOW, openMetrics: true })]
    expect(items).toMatchObject([
      { kind: 'metadata', family: 'a', metadata: { type: 'counter' } },
      { kind: 'metadata', family: 'a', metadata: { unit: 'seconds' } },
      { kind: 'sample', row: { value: 1, timestampMs: NOW + 1500 }, exemplar: { value: 0.5, timestampMs: NOW } },
    ])
  })

  it.each([
    ['a', /line 1: column 2: wanted a value/],
    ['a{x="1" 2', /wanted , or }/],
    ['a{x=1} 2', /wanted a label value in quotes/],
    ['a{x="1} 2', /wanted a closing quote/],
    ['a{x="1",x="2"} 2', /comes twice/],
    ['a 1 2 3', /wanted the end of the line/],
    ['a 0x10', /wanted a value, got "0x10"/],
    ['{x="1"} 2', /wanted a metric name/],
    [`a{x="${'y'.repeat(300_000)}"} 1`, /line 1: longer than 262144 characters/],
    [`a{${Array.from({ length: 1_002 }, (_, i) => `l${i}="x"`).join()}} 1`, /more than 1000 labels/],
  ])('refuses %s', (line, message) => {
    expect(() => rows(line)).toThrowError(message)
  })
})

describe('Influx line protocol', () => {
  const rows = (text: string, precision: 'ns' | 's' = 'ns') => shown(parseInfluxLines(text, { nowMs: NOW, precision }))

  it('makes a series of each number', () => {
    expect(
      rows(`cpu,host=a\\ b,dc=eu usage=0.5,count=3i,up=t,note="x, y=1 \\" \n z" ${NOW}000000\nload value=1u\n# no`),
    ).toEqual([
      'cpu_usage{dc="eu", host="a b"} 0.5 0',
      'cpu_count{dc="eu", host="a b"} 3 0',
      'cpu_up{dc="eu", host="a b"} 1 0',
      'load 1 0',
    ])
    expect(rows(`m v=1 ${NOW / 1000 + 2}`, 's')).toEqual(['m_v 1 2000'])
  })

  it.each([
    ['a comment that ends with a backslash', '# C:\\\nm v=1', ['m_v 1 0']],
    ['a comment with a quote that is open', '# field="\nm v=1', ['m_v 1 0']],
    [
      'a quote in a tag, which is a letter there',
      'm,size="5 v=1\nm,size=5",x=" v=2',
      ['m_v{size="\\"5"} 1 0', 'm_v{size="5\\"", x="\\""} 2 0'],
    ],
    ['a tag that ends with a backslash, before the newline', 'm v=1\nm,dir=C:\\ v=2', /line 2: wanted/],
    ['a key that ends with a backslash', 'm\\\nm v=2', /line 1: wanted/],
    ['an escaped space, comma and equals sign', 'a\\ b,c\\,d=e\\=f g\\ h=1', ['a b_g h{c,d="e=f"} 1 0']],
    ['a text with all separators, escaped quotes and backslashes', 'm a="x, y=\\"1\\" \\\\",b=2', ['m_b 2 0']],
    ['spaces around, an empty tag, exponents and signs', '  m,t= a=-1.5e3,b=+2i \r\n', ['m_a -1500 0', 'm_b 2 0']],
    ['a text that is not closed', 'm a="x\nm b=1', /line 1/],
  ] as const)('%s', (_, text, wanted) => {
    if (wanted instanceof RegExp) expect(() => rows(text)).toThrowError(wanted)
    else expect(rows(text).map((row) => row.replaceAll("'", ''))).toEqual(wanted)
  })

  it('knows the precisions of both versions', () => {
    expect(['', 'n', 'u', 'ms', 'h', 'x', '__proto__', 'constructor'].map(parsePrecision)).toEqual([
      'ns',
      'ns',
      'us',
      'ms',
      'h',
      null,
      null,
      null,
    ])
  })

  it.each([
    ['m', /line 1: wanted: measurement,tags fields timestamp/],
    ['m,a f=1', /wanted tag=value/],
    ['m f', /wanted field=value/],
    ['m f=abc', /field value "abc"/],
    ['m f=1 soon', /timestamp "soon"/],
  ])('refuses %s', (line, message) => {
    expect(() => rows(line)).toThrowError(message)
  })
})
