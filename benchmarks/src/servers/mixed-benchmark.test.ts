import { expect, test } from 'vitest'
import { runMixedBenchmark } from './mixed-benchmark.js'

test('writes at half of the maximum beside queries: none fails, and no turn is long', async () => {
  const result = await runMixedBenchmark({ hosts: 4, steps: 80, connections: 4, server: 'varve-typescript' }, () => {})
  expect(result.failedWrites).toBe(0)
  expect(result.failedQueries).toBe(0)
  expect(result.queryCount).toBeGreaterThan(5)
  expect(result.writeMsP99).toBeLessThan(2_000) // 250 ms when the machine has nothing else to do.
  expect(result.turnCpuMsMax).toBeLessThan(200) // As above: 50 ms then.
}, 180_000)
