import { parseArgs } from 'node:util'
import { DISK_CASES, runDiskBenchmark } from './disk-benchmark.js'

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    hosts: { type: 'string' },
    cases: { type: 'string' },
  },
})
const hosts = Number(values.hosts ?? (values.small ? 4 : 20))
const wanted = values.cases?.split(',') ?? DISK_CASES.map(({ name }) => name)
const unknown = wanted.filter((name) => !DISK_CASES.some((one) => one.name === name))
if (unknown.length > 0) throw new Error(`no case ${unknown}; there are ${DISK_CASES.map(({ name }) => name)}`)
for (const one of DISK_CASES) {
  if (wanted.includes(one.name)) await runDiskBenchmark(one, { hosts }, (line) => console.log(line))
}
