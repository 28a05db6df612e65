import { describe, expect, it } from 'vitest'
import { runBoundedLogBenchmark } from './bounded-log-benchmark.js'
import { runMemoryBenchmark } from './memory-benchmark.js'
import { runStorageBenchmark } from './storage-benchmark.js'

describe('the storage benchmarks', () => {
  it('run at a small size, and check their answers', async () => {
    const figures = await runStorageBenchmark({ hosts: 2, steps: 40, jitterShare: 1 }, () => undefined)
    expect(figures.sampleCount).toBeGreaterThan(30_000)
    expect(figures.diskBytesPerSample).toBeLessThan(4)
    expect(figures.appendPerCpuSecond).toBeGreaterThan(0)
    const bounded = { seriesCount: 500, steps: 200, logSizeBytesMax: 400_000, samplesPerRound: 5_000 }
    const { logSizeBytesPeak, replayedSamples } = await runBoundedLogBenchmark(bounded, () => undefined)
    expect(logSizeBytesPeak).toBeLessThan(1_000_000)
    expect(replayedSamples).toBeLessThan(60_000)
    expect((await runMemoryBenchmark({ seriesCount: 500, steps: 3 }, () => undefined)).sampleCount).toBe(1500)
  })
})
