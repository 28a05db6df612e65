import { describe, expect, it } from 'vitest'
import { runMemoryBenchmark } from './memory-benchmark.js'
import { runStorageBenchmark } from './storage-benchmark.js'

describe('the storage benchmarks', () => {
  it('run at a small size, and check their answers', async () => {
    const figures = await runStorageBenchmark({ hosts: 2, steps: 40, jitterShare: 1 }, () => undefined)
    expect(figures.sampleCount).toBeGreaterThan(30_000)
    expect(figures.diskBytesPerSample).toBeLessThan(4)
    expect(figures.appendPerCpuSecond).toBeGreaterThan(0)
    expect((await runMemoryBenchmark({ seriesCount: 500, steps: 3 }, () => undefined)).sampleCount).toBe(1500)
  })
})
