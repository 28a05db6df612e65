/** The threads of the native module outlive whoever has loaded it. */
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { nativeStatus } from './index.js'

/** Has a batch decoded that is large enough to be shared, and says how many values came back as they were. */
const WORKER = `
const { parentPort, workerData } = require('node:worker_threads')
const { encodeSealedValuesBatch, decodeSealedRuns } = require(workerData)
const LENGTH = 480
const COUNT = 500
const values = Float64Array.from({ length: LENGTH * COUNT }, (_, i) => i % 1000)
const ranges = Uint32Array.from({ length: 2 * COUNT }, (_, i) => Math.ceil(i / 2) * LENGTH)
const bytes = new Uint8Array(COUNT * (8 * LENGTH + 128))
const ends = new Uint32Array(COUNT)
encodeSealedValuesBatch(values, ranges, bytes, 0, ends)
const runs = new Uint32Array(7 * COUNT)
for (let i = 0; i < COUNT; i++) runs.set([0, i === 0 ? 0 : ends[i - 1], ends[i], LENGTH, 0, LENGTH, i * LENGTH], 7 * i)
const out = new Float64Array(LENGTH * COUNT)
for (let round = 0; round < 50; round++) decodeSealedRuns([bytes], runs, COUNT, out)
parentPort.postMessage(out.reduce((sum, value, i) => sum + (value === values[i] ? 1 : 0), 0))
`

/** Three workers that alone load the module, at the same time; when they have ended, the process goes on for a while. */
const MAIN = `
const { Worker } = require('node:worker_threads')
const [binary, source] = process.argv.slice(1)
const ended = Array.from({ length: 3 }, () => new Promise((resolve, reject) => {
  const worker = new Worker(source, { eval: true, workerData: binary })
  worker.on('error', reject)
  worker.on('message', (sum) => worker.terminate().then(() => resolve(sum), reject))
}))
Promise.all(ended).then((sums) => setTimeout(() => process.stdout.write(JSON.stringify(sums)), 50))
`

const { source } = nativeStatus()

test.skipIf(source === undefined)('workers that have used them may end, and the process goes on', () => {
  const binary = createRequire(import.meta.url).resolve(source as string)
  const answer = execFileSync(process.execPath, ['-e', MAIN, binary, WORKER], {
    encoding: 'utf8',
    env: { ...process.env, VARVE_NATIVE_THREADS: '3' },
  })
  expect(JSON.parse(answer)).toEqual([240_000, 240_000, 240_000])
})
