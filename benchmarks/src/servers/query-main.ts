import { parseArgs } from 'node:util'
import { runQueryBenchmark } from './query-benchmark.js'
import type { ServerName } from './servers.js'

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    hosts: { type: 'string' },
    rounds: { type: 'string' },
    'warm-up': { type: 'string' },
    servers: { type: 'string' },
  },
})
const hosts = Number(values.hosts ?? (values.small ? 5 : 200))
const rounds = Number(values.rounds ?? (values.small ? 3 : 7))
const warmUp = Number(values['warm-up'] ?? (values.small ? 3 : 15))
const servers = (values.servers ?? 'varve,varve-typescript,prometheus,victoria-metrics').split(',') as ServerName[]
await runQueryBenchmark({ hosts, steps: 480, rounds, warmUp, servers }, (line) => console.log(line))
