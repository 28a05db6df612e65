import { parseArgs } from 'node:util'
import { runMixedBenchmark } from './mixed-benchmark.js'
import type { ServerName } from './servers.js'

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    hosts: { type: 'string' },
    steps: { type: 'string' },
    connections: { type: 'string' },
    server: { type: 'string', default: 'varve' },
  },
})
await runMixedBenchmark(
  {
    hosts: Number(values.hosts ?? (values.small ? 8 : 200)),
    steps: Number(values.steps ?? (values.small ? 120 : 480)),
    connections: Number(values.connections ?? 4),
    server: values.server as ServerName,
  },
  (line) => console.log(line),
)
