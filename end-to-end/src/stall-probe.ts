/**
 * How long a server's event loop was held, told from outside: a thread of its own asks `/-/healthy` again and again, and notes
 * how much time the server's main thread spent on a processor while the answer was awaited.
 *
 * Processor time and not the clock's: on a machine that is busy with other things every program waits, and that is no stall.
 */
import { Worker } from 'node:worker_threads'

export interface Stall {
  /** The longest that one question waited: milliseconds of processor time of the main thread, and of the clock. */
  readonly cpuMs: number
  readonly wallMs: number
  readonly count: number
}

export interface StallProbe {
  /** The worst since the last call, what is being waited for now included. */
  take(): Promise<Stall>
  stop(): Promise<void>
}

/** Plain JavaScript, since it runs in a thread without the test's loader. Linux tells a thread's time in its schedstat. */
const PROGRAM = `
const { parentPort, workerData: { pid, port } } = require('node:worker_threads')
const { readFileSync } = require('node:fs')
const path = '/proc/' + pid + '/task/' + pid + '/schedstat'
const cpuMs = () => { try { return Number(readFileSync(path, 'utf8').split(' ')[0]) / 1e6 } catch { return 0 } }
let worst = { cpuMs: 0, wallMs: 0, count: 0 }
let asked = false, text = '', cpuBefore = 0, sentMs = 0
const socket = require('node:net').connect(port, '127.0.0.1')
socket.setNoDelay(true)
const ask = () => {
  cpuBefore = cpuMs()
  sentMs = performance.now()
  socket.write('GET /-/healthy HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
}
socket.on('connect', ask)
socket.on('error', () => {})
socket.on('data', (part) => {
  text += part
  if (!text.includes('Healthy.')) return
  text = ''
  worst.cpuMs = Math.max(worst.cpuMs, cpuMs() - cpuBefore)
  worst.wallMs = Math.max(worst.wallMs, performance.now() - sentMs)
  worst.count++
  setTimeout(ask, 1)
  if (!asked) return
  asked = false
  parentPort.postMessage(worst)
  worst = { cpuMs: 0, wallMs: 0, count: 0 }
})
// Told with the next answer, so that a question that still waits is part of it.
parentPort.on('message', () => (asked = true))
`

export function startStallProbe(pid: number, port: number): StallProbe {
  const worker = new Worker(PROGRAM, { eval: true, workerData: { pid, port } })
  return {
    take: () =>
      new Promise((resolve) => {
        worker.once('message', resolve)
        worker.postMessage('take')
      }),
    stop: async () => void (await worker.terminate()),
  }
}
