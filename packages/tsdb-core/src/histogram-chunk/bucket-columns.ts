/** Which column of a chunk holds which bucket of a histogram with a given layout. */
import type { Histogram, Span } from '../model/histogram.js'

/** What histograms that share it have in common; told apart by `key`. */
export interface Layout {
  readonly key: string
  readonly schema: number
  readonly zeroThreshold: number
  readonly positiveSpans: readonly Span[]
  readonly negativeSpans: readonly Span[]
  readonly customValues: Float64Array
}

/** For each bucket of the layout, positive ones first, the index of its column. */
export type ColumnIndexes = Int32Array

export function layoutOf(histogram: Histogram): Layout {
  const { schema, zeroThreshold, positiveSpans, negativeSpans, customValues } = histogram
  const spans = (list: readonly Span[]) => list.map(({ offset, length }) => `${offset} ${length}`).join(',')
  const key = `${scaleKey(histogram)}|${spans(positiveSpans)}|${spans(negativeSpans)}`
  return { key, schema, zeroThreshold, positiveSpans, negativeSpans, customValues }
}

/** Numbers the columns of all layouts, so that the same buckets share one. */
export function assignColumns(layouts: readonly Layout[]): { columnCount: number; indexes: readonly ColumnIndexes[] } {
  const scales = new Map<string, number>()
  for (const layout of layouts) {
    const key = scaleKey(layout)
    if (!scales.has(key)) scales.set(key, scales.size)
  }
  interface Place {
    readonly layout: number
    readonly bucket: number
    readonly order: readonly number[]
  }
  const places: Place[] = []
  layouts.forEach((layout, layoutIndex) => {
    const scale = scales.get(scaleKey(layout)) as number
    let bucket = 0
    for (const [side, spans] of [layout.positiveSpans, layout.negativeSpans].entries()) {
      // Spans that overlap name a bucket twice: the second time it is another column.
      const seen = new Map<number, number>()
      for (const index of bucketIndexes(spans)) {
        const occurrence = seen.get(index) ?? 0
        seen.set(index, occurrence + 1)
        places.push({ layout: layoutIndex, bucket: bucket++, order: [scale, side, index, occurrence] })
      }
    }
  })
  places.sort((a, b) => compareOrders(a.order, b.order))
  const indexes = layouts.map(
    (layout) => new Int32Array(bucketCount(layout.positiveSpans) + bucketCount(layout.negativeSpans)),
  )
  let columnCount = 0
  places.forEach((place, i) => {
    if (i === 0 || compareOrders(places[i - 1].order, place.order) !== 0) columnCount++
    indexes[place.layout][place.bucket] = columnCount - 1
  })
  return { columnCount, indexes }
}

export function bucketCount(spans: readonly Span[]): number {
  return spans.reduce((count, span) => count + span.length, 0)
}

function* bucketIndexes(spans: readonly Span[]): Generator<number> {
  let index = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) yield index++
  }
}

/** Histograms of one scale have comparable buckets. */
function scaleKey({
  schema,
  zeroThreshold,
  customValues,
}: Pick<Layout, 'schema' | 'zeroThreshold' | 'customValues'>): string {
  // Only custom bounds make buckets differ; the threshold is part of the layout alone.
  return `${schema} ${zeroThreshold} ${Array.from(customValues, (bound) => (Object.is(bound, -0) ? '-0' : bound)).join(' ')}`
}

function compareOrders(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i]
  return 0
}
