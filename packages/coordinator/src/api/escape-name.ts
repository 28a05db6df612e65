/**
 * Names for scrapers that do not take UTF-8 in them, as Prometheus writes them: a scraper names the way in its `Accept` header,
 * and one that names none, which cannot read quoted names either, gets underscores.
 *
 *     allow-utf-8   "http.status:5xx"               as it is, in quotes
 *     underscores   http_status:5xx                 `_` for each character that is not allowed
 *     dots          http_dot_status:5xx             `.` is `_dot_`, `_` and others are `__`
 *     values        U__http_2e_status:5xx           `_2e_` for the code point 0x2e, `__` for `_`
 *
 * A name that is plain stays, whatever the way: `a_total` is no `a__total`. Source: prometheus/common, model/metric.go and expfmt/encode.go.
 */
import { Labels, METRIC_NAME } from '@varve/tsdb-core/model'
import { mediaType } from '../ingest/media-type.js'

export type NameEscaping = 'allow-utf-8' | 'underscores' | 'dots' | 'values'

const ESCAPINGS: readonly string[] = ['allow-utf-8', 'underscores', 'dots', 'values'] satisfies NameEscaping[]

/** The way of the media range that the client likes best among those that name one. */
export function wantedEscaping(accept: string | undefined): NameEscaping {
  let best: { escaping: NameEscaping; weight: number } = { escaping: 'underscores', weight: -1 }
  for (const range of (accept ?? '').split(',')) {
    const { parameters } = mediaType(range)
    const escaping = parameters.get('escaping') ?? ''
    const weight = Number(parameters.get('q') ?? 1)
    if (ESCAPINGS.includes(escaping) && weight > best.weight) best = { escaping: escaping as NameEscaping, weight }
  }
  return best.escaping
}

/** All names of a series, that of its metric too. */
export function escapeNames(labels: Labels, escaping: NameEscaping): Labels {
  if (escaping === 'allow-utf-8') return labels
  const pairs = [...labels].map(([name, value]): [string, string] =>
    name === METRIC_NAME ? [name, escapeName(value, escaping, METRIC)] : [escapeName(name, escaping, LABEL), value],
  )
  // Two names may have become one: the first stays.
  return Labels.from(pairs.filter(([name], i) => pairs.findIndex((other) => other[0] === name) === i))
}

/** What every scraper can read without quotes: the first character, and those behind it. */
interface PlainName {
  readonly first: RegExp
  readonly next: RegExp
}

const METRIC: PlainName = { first: /^[a-zA-Z_:]$/, next: /^[a-zA-Z0-9_:]$/ }
const LABEL: PlainName = { first: /^[a-zA-Z_]$/, next: /^[a-zA-Z0-9_]$/ }

function escapeName(name: string, escaping: 'underscores' | 'dots' | 'values', plain: PlainName): string {
  const characters = [...name]
  const isPlain = (character: string, at: number) => (at === 0 ? plain.first : plain.next).test(character)
  if (characters.every(isPlain)) return name
  const escaped = characters.map((character, at) => {
    if (character === '_') return escaping === 'underscores' ? '_' : '__'
    if (isPlain(character, at)) return character
    if (escaping === 'values') return `_${character.codePointAt(0)?.toString(16)}_`
    if (escaping === 'underscores') return '_'
    return character === '.' ? '_dot_' : '__'
  })
  return (escaping === 'values' ? 'U__' : '') + escaped.join('')
}
