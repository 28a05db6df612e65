import { expect, test } from 'vitest'
import { Fleet } from './fleet.js'

const OPTIONS = { hosts: 3, steps: 40, churnShare: 0.2, restartShare: 1 }

test('a host has some 500 series with distinct, sorted labels', () => {
  const fleet = new Fleet({ hosts: 2, steps: 1 })
  expect(fleet.series.length / 2).toBeGreaterThan(450)
  expect(fleet.series.length / 2).toBeLessThan(600)
  expect(new Set(fleet.series.map((series) => series.labels.join('\0'))).size).toBe(fleet.series.length)
  for (const { labels } of fleet.series) {
    const names = labels.filter((_, index) => index % 2 === 0)
    expect(names).toEqual([...names].sort())
  }
})

test('batches bring exactly the samples of the columns, in the order of time', () => {
  const fleet = new Fleet(OPTIONS)
  const columns = fleet.series.map((_, index) => fleet.values(index))
  const bits = (values: Float64Array, index: number) => new BigUint64Array(values.buffer)[index]
  const seen = new Uint32Array(fleet.series.length)
  let count = 0
  for (const batch of fleet.batches(1000)) {
    expect(batch.count).toBeLessThanOrEqual(1000)
    for (let at = 0; at < batch.count; at++) {
      const index = batch.series[at]
      const series = fleet.series[index]
      const step = seen[index]++
      expect(batch.timestampsMs[at]).toBe(fleet.timestampsMs(series.host)[series.fromStep + step])
      expect(bits(batch.values, at)).toBe(bits(columns[index], step))
    }
    count += batch.count
  }
  expect(count).toBe(fleet.sampleCount)
})

test('a seed gives the same fleet again, another seed another one', () => {
  const first = new Fleet({ ...OPTIONS, seed: 9 })
  const again = new Fleet({ ...OPTIONS, seed: 9 })
  const other = new Fleet({ ...OPTIONS, seed: 10 })
  expect(again.series).toEqual(first.series)
  expect(again.values(1)).toEqual(first.values(1))
  expect(other.values(1)).not.toEqual(first.values(1))
})

test('counters begin again at a restart, and series that end do so with the staleness marker', () => {
  const fleet = new Fleet(OPTIONS)
  const cpu = fleet.series.findIndex((series) => series.family === 'cpu' && series.toStep - series.fromStep === 40)
  const values = fleet.values(cpu)
  expect(values.some((value, index) => index > 0 && value < values[index - 1])).toBe(true)
  const ending = fleet.series.findIndex((series) => series.endsStale)
  const halves = new Uint32Array(fleet.values(ending).buffer)
  expect([...halves.slice(-2)]).toEqual([2, 0x7ff00000])
})
