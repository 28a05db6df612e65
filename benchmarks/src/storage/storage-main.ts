import { parseArgs } from 'node:util'
import { runBoundedLogBenchmark } from './bounded-log-benchmark.js'
import { runMemoryBenchmark } from './memory-benchmark.js'
import { runStorageBenchmark } from './storage-benchmark.js'

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    hosts: { type: 'string' },
    steps: { type: 'string' },
    jitter: { type: 'string' },
    memory: { type: 'string' },
    'log-mib': { type: 'string' },
  },
})
const hosts = Number(values.hosts ?? (values.small ? 2 : 20))
const steps = Number(values.steps ?? (values.small ? 60 : 480))
if (values.memory !== undefined) {
  await runMemoryBenchmark({ seriesCount: Number(values.memory), steps }, (line) => console.log(line))
} else if (values['log-mib'] !== undefined) {
  const logSizeBytesMax = Number(values['log-mib']) * 1024 ** 2
  await runBoundedLogBenchmark({ seriesCount: 100_000, steps, logSizeBytesMax }, (line) => console.log(line))
} else {
  console.log(`${hosts} hosts, ${steps} scrapes, jitter on ${values.jitter ?? '5 %'} of hosts`)
  await runStorageBenchmark(
    { hosts, steps, ...(values.jitter !== undefined && { jitterShare: Number(values.jitter) }) },
    (line) => console.log(line),
  )
}
