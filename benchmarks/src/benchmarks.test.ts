import { expect, test } from 'vitest'
import { allBenchmarks } from './all.js'
import { groupOf, reportOf, runBenchmarks } from './benchmark.js'

test('names are distinct and have four parts', () => {
  const names = allBenchmarks.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  for (const name of names) expect(name.split('/').length, name).toBe(4)
})

const groups = [...new Set(allBenchmarks.map(({ name }) => groupOf(name)))]

test.each(groups)('%s runs in its small size, with checked answers', async (group) => {
  const members = allBenchmarks.filter(({ name }) => groupOf(name) === group)
  const results = await runBenchmarks(members, { size: 'small', rounds: 1, log: () => {} })
  expect(results.length).toBe(members.length)
  for (const { skipped, medianNs, facts } of results) {
    expect(skipped !== undefined || medianNs !== undefined || Object.keys(facts).length > 0).toBe(true)
  }
  expect(reportOf(results)).toContain(`### ${group}`)
})
