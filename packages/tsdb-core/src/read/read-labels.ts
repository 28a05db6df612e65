/** Label names, label values and label sets of the series that match, over several sources. */
import { matchedSeries } from '../index/matched-series.js'
import { Labels } from '../model/labels.js'
import { sortLabels } from '../model/sort-labels.js'
import { compareUtf8 } from '../model/utf8.js'
import type { CompiledMatcher } from '../query/label-matcher.js'
import type { LabelResult, SeriesResult } from '../query/queryable.js'
import type { SampleSource } from './sample-source.js'
import { SeriesGroups, type SourceFamily } from './series-groups.js'
import { SymbolCollector } from './symbol-collector.js'

export interface LabelParts {
  readonly sources: readonly SampleSource[]
  readonly matchers: readonly CompiledMatcher[]
  readonly limit: number
  readonly warnings: string[]
  readonly pause: () => Promise<void> | undefined
}

/** Series looked at between two pauses, and such whose labels are made. */
const SERIES_PER_TURN = 4096
const LABELS_PER_TURN = 256

export async function readLabelNames(parts: LabelParts): Promise<LabelResult> {
  const names = new Set<string>()
  for (const source of parts.sources) {
    if (parts.matchers.length === 0) {
      for (const name of source.index.labelNames()) {
        await parts.pause()
        if (!names.has(name) && hasLabel(source, name)) names.add(name)
      }
      continue
    }
    const seen = new Set<number>()
    await forMatched(parts, source, (pairs, length) => {
      for (let i = 0; i < length; i += 2) seen.add(pairs[i])
    })
    for (const symbol of seen) names.add(source.symbolText(symbol))
  }
  return limited([...names], parts)
}

export async function readLabelValues(name: string, parts: LabelParts): Promise<LabelResult> {
  const values = new Set<string>()
  for (const source of parts.sources) {
    const label = source.index.label(name)
    if (label === undefined) continue
    if (parts.matchers.length === 0) {
      for (let i = 0; i < label.count; i++) {
        if ((i & 0xff) === 0) await parts.pause()
        const text = label.text(i)
        if (!values.has(text) && hasSamples(source, label.postings(i))) values.add(text)
      }
      continue
    }
    const matched = await matchedSeries(source.index, parts.matchers, parts.pause)
    const seen = new Set<number>()
    for (let i = 0; i < matched.length; i++) {
      if (i % SERIES_PER_TURN === 0) await parts.pause()
      if (source.columnMask(matched[i]) === 0) continue
      const value = source.index.valueIndexOf(matched[i], name)
      if (value >= 0) seen.add(value)
    }
    for (const value of seen) values.add(label.text(value))
  }
  return limited([...values], parts)
}

/** Labels are made once for a series, however many sources have it. */
export async function readSeries(parts: LabelParts): Promise<SeriesResult> {
  const { sources, pause, limit, warnings } = parts
  const families: SourceFamily[] = []
  let seriesCount = 0
  for (const [source, { index }] of sources.entries()) {
    const matched = (await matchedSeries(index, parts.matchers, pause)).slice()
    let count = 0
    for (let i = 0; i < matched.length; i++) {
      if (i % SERIES_PER_TURN === 0) await pause()
      if (sources[source].columnMask(matched[i]) !== 0) matched[count++] = matched[i]
    }
    families.push({ sources: [source], matched: matched.subarray(0, count) })
    seriesCount += count
  }
  const symbols = new SymbolCollector(sources, seriesCount)
  const groups = new SeriesGroups(sources, symbols)
  await groups.build(families, pause)
  const found: Labels[] = []
  let pairs: Uint32Array = new Uint32Array(256)
  for (let group = 0; group < groups.count; group++) {
    if (group % LABELS_PER_TURN === 0) await pause()
    pairs = groups.readPairs(group, pairs, 0)
    const flat: string[] = []
    for (let i = 0; i < groups.pairsLength(group); i++) flat.push(symbols.symbols[pairs[i]])
    found.push(Labels.fromSorted(flat))
  }
  const series = await sortLabels(found, pause)
  if (limit > 0 && series.length > limit) {
    warnings.push(`more than ${limit} series: the answer is cut off`)
    series.length = limit
  }
  return { series, warnings }
}

async function forMatched(
  parts: LabelParts,
  source: SampleSource,
  visit: (pairs: Uint32Array, length: number) => void,
): Promise<void> {
  const matched = await matchedSeries(source.index, parts.matchers, parts.pause)
  let pairs = new Uint32Array(256)
  for (let i = 0; i < matched.length; i++) {
    if (i % SERIES_PER_TURN === 0) await parts.pause()
    if (source.columnMask(matched[i]) === 0) continue
    if (pairs.length < source.pairsLength(matched[i])) pairs = new Uint32Array(source.pairsLength(matched[i]))
    visit(pairs, source.readPairs(matched[i], pairs, 0))
  }
}

function hasLabel(source: SampleSource, name: string): boolean {
  const label = source.index.label(name)
  if (label === undefined) return false
  for (let i = 0; i < label.count; i++) if (hasSamples(source, label.postings(i))) return true
  return false
}

function hasSamples(source: SampleSource, series: Uint32Array): boolean {
  for (let i = 0; i < series.length; i++) if (source.columnMask(series[i]) !== 0) return true
  return false
}

function limited(values: string[], parts: LabelParts): LabelResult {
  values.sort(compareUtf8)
  if (parts.limit > 0 && values.length > parts.limit) {
    parts.warnings.push(`more than ${parts.limit} values: the answer is cut off`)
    values.length = parts.limit
  }
  return { values, warnings: parts.warnings }
}
