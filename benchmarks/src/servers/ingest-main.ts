import { parseArgs } from 'node:util'
import { runIngestBenchmark } from './ingest-benchmark.js'
import type { ServerName } from './servers.js'

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    hosts: { type: 'string' },
    steps: { type: 'string' },
    connections: { type: 'string' },
    servers: { type: 'string' },
  },
})
const hosts = Number(values.hosts ?? (values.small ? 8 : 200))
const steps = Number(values.steps ?? (values.small ? 60 : 480))
const connections = Number(values.connections ?? 4)
const servers = (values.servers ?? 'varve,varve-typescript,prometheus,victoria-metrics').split(',') as ServerName[]
await runIngestBenchmark({ hosts, steps, connections, servers }, (line) => console.log(line))
