import { expect, it } from 'vitest'
import { compareLabels, Labels } from './labels.js'
import { sortLabels } from './sort-labels.js'

it.each([0, 1, 2_048, 2_049, 4_096, 10_000, 13_000])('%d label sets come out as from one sort', async (count) => {
  // Numbers that jump around, some of them twice.
  const labels = Array.from({ length: count }, (_, i) => Labels.from({ n: String((i * 7_919) % 9_001), __name__: 'm' }))
  let pauses = 0
  const sorted = await sortLabels(labels, () => {
    pauses++
    return undefined
  })
  expect(sorted.map(String)).toEqual([...labels].sort(compareLabels).map(String))
  if (count > 2_048) expect(pauses).toBeGreaterThan(count / 2_048)
})
