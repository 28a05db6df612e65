import { Labels } from '@varve/tsdb-core/model'
import { compileMatcher } from '@varve/tsdb-core/query'
import { expect, it } from 'vitest'
import { chunksOf } from './series-chunks.js'

const series = [
  ...Array.from({ length: 50 }, (_, i) => Labels.from({ __name__: 'm', instance: `host.${i}:9100`, job: `j${i % 3}` })),
  ...Array.from({ length: 7 }, (_, i) => Labels.from({ __name__: 'sum', job: `j${i}` })),
]

it('each series is in one part, those without the label too, and no part is larger than asked for', () => {
  const chunks = chunksOf(series, 10)
  expect(chunks.length).toBeGreaterThanOrEqual(6)
  for (const labels of series) {
    const parts = chunks.filter(({ matchers }) =>
      matchers.map(compileMatcher).every((test) => test.matches(labels.get(test.matcher.name))),
    )
    expect(parts, String(labels)).toHaveLength(1)
  }
  for (const { seriesCount } of chunks) expect(seriesCount).toBeLessThanOrEqual(10)
  expect(chunks.reduce((sum, { seriesCount }) => sum + seriesCount, 0)).toBe(series.length)
})

it('a few series are one part', () => {
  expect(chunksOf(series, 57)).toEqual([{ matchers: [], seriesCount: 57 }])
})
