/** Every benchmark there is. A new area adds its list here. */
import type { Benchmark } from './benchmark.js'
import { codecBenchmarks } from './codec/codec.js'

export const allBenchmarks: Benchmark[] = [...codecBenchmarks]
