/** Whether two servers answered alike: statuses, errors, results value by value, warnings and infos. */

export interface ApiAnswer {
  readonly status: number
  readonly body: {
    readonly status: string
    readonly errorType?: string
    readonly error?: string
    readonly data?: { readonly resultType?: string; readonly result?: unknown }
    readonly warnings?: readonly string[]
    readonly infos?: readonly string[]
  }
}

interface Series {
  readonly metric: Record<string, string>
  readonly value?: Point
  readonly values?: readonly Point[]
  readonly histogram?: HistogramPoint
  readonly histograms?: readonly HistogramPoint[]
}
type Point = readonly [number, string]
type HistogramPoint = readonly [number, { count: string; sum: string; buckets?: [number, string, string, string][] }]

export async function askApi(url: string, path: string, parameters: Record<string, string>): Promise<ApiAnswer> {
  const response = await fetch(`${url}/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(parameters) })
  const text = await response.text()
  try {
    return { status: response.status, body: JSON.parse(text) as ApiAnswer['body'] }
  } catch {
    return { status: response.status, body: { status: 'no JSON', error: text.slice(0, 200) } }
  }
}

/**
 * The first difference, `undefined` when there is none. `ordered`: series come in an order that labels decide; `byValue`: in
 * one that values decide, so that equal ones may change places.
 */
export function differenceOfApiAnswers(
  ours: ApiAnswer,
  theirs: ApiAnswer,
  { ordered = false, byValue = false, tolerance = 1e-10 } = {},
): string | undefined {
  const errors = [ours, theirs].map(({ status, body }) => `${status} ${body.errorType ?? ''} ${body.error ?? ''}`)
  if (errors[0] !== errors[1]) return `answer: ours ${errors[0]}; theirs ${errors[1]}`
  if (ours.body.data === undefined) return undefined
  const types = [ours, theirs].map(({ body }) => body.data?.resultType)
  if (types[0] !== types[1]) return `type: ours ${types[0]}; theirs ${types[1]}`
  const found =
    types[0] === 'vector' || types[0] === 'matrix'
      ? seriesDifference(ours.body.data.result as Series[], theirs.body.data?.result as Series[], {
          ordered,
          byValue,
          tolerance,
        })
      : pointDifference(ours.body.data.result as Point, theirs.body.data?.result as Point, tolerance)
  if (found !== undefined) return found
  for (const kind of ['warnings', 'infos'] as const) {
    const [own, other] = [ours, theirs].map(({ body }) => [...(body[kind] ?? [])].sort())
    if (other.length > 10 && own.length === other.length) continue
    if (own.join('\n') !== other.join('\n'))
      return `${kind}: ours ${JSON.stringify(own)}; theirs ${JSON.stringify(other)}`
  }
  return undefined
}

function seriesDifference(
  ours: readonly Series[],
  theirs: readonly Series[],
  { ordered, byValue, tolerance }: { ordered: boolean; byValue: boolean; tolerance: number },
): string | undefined {
  const keyOf = ({ metric }: Series) => JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)))
  const found = new Map(ours.map((series) => [keyOf(series), series]))
  if (found.size !== ours.length) return `series: ours come twice`
  for (const other of theirs) {
    const key = keyOf(other)
    const own = found.get(key)
    if (own === undefined) return `series ${key}: theirs only, ${JSON.stringify(other).slice(0, 300)}`
    found.delete(key)
    const one = own.values ?? (own.value ? [own.value] : [])
    const two = other.values ?? (other.value ? [other.value] : [])
    const difference =
      pointsDifference(one, two, (a, b) => pointDifference(a, b, tolerance)) ??
      pointsDifference(
        own.histograms ?? (own.histogram ? [own.histogram] : []),
        other.histograms ?? (other.histogram ? [other.histogram] : []),
        (a, b) => histogramDifference(a, b, tolerance),
      )
    if (difference !== undefined) return `series ${key}: ${difference}`
  }
  for (const [key, own] of found) return `series ${key}: ours only, ${JSON.stringify(own).slice(0, 300)}`
  if (byValue) {
    const values = [ours, theirs].map((list) => list.map(({ value }) => value?.[1] ?? 'histogram'))
    const at = values[0].findIndex((value, i) => !near(value, values[1][i], tolerance))
    return at < 0 ? undefined : `order: at ${at} ours ${values[0][at]}; theirs ${values[1][at]}`
  }
  if (!ordered) return undefined
  const orders = [ours, theirs].map((list) => list.map(keyOf))
  const at = orders[0].findIndex((key, i) => key !== orders[1][i])
  return at < 0 ? undefined : `order: at ${at} ours ${orders[0][at]}; theirs ${orders[1][at]}`
}

function pointsDifference<P extends readonly [number, unknown]>(
  ours: readonly P[],
  theirs: readonly P[],
  difference: (a: P, b: P) => string | undefined,
): string | undefined {
  const own = new Map(ours.map((point) => [point[0], point]))
  for (const other of theirs) {
    const one = own.get(other[0])
    if (one === undefined) return `at ${other[0]} theirs only: ${JSON.stringify(other[1])}`
    own.delete(other[0])
    const found = difference(one, other)
    if (found !== undefined) return found
  }
  for (const [time, point] of own) return `at ${time} ours only: ${JSON.stringify(point[1])}`
  return undefined
}

function pointDifference(a: Point, b: Point, tolerance: number): string | undefined {
  if (a[0] === b[0] && near(a[1], b[1], tolerance)) return undefined
  return `at ${b[0]} ours ${a[0] === b[0] ? '' : `at ${a[0]} `}${a[1]}; theirs ${b[1]}`
}

function histogramDifference([time, a]: HistogramPoint, [, b]: HistogramPoint, tolerance: number): string | undefined {
  const [p, q] = [a, b].map(({ count, sum, buckets = [] }) => [count, sum, ...buckets.flat().map(String)])
  if (p.length === q.length && p.every((text, i) => near(text, q[i], tolerance))) return undefined
  return `at ${time} ours ${JSON.stringify(a)}; theirs ${JSON.stringify(b)}`
}

function near(a: string, b: string, tolerance: number): boolean {
  if (a === b) return true
  const [x, y] = [Number(a), Number(b)]
  if (!Number.isFinite(x) || !Number.isFinite(y)) return false
  return Math.abs(x - y) <= tolerance * Math.max(Math.abs(x), Math.abs(y))
}
