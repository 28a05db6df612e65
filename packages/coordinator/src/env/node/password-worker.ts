/**
 * bcrypt off the main thread: one check of cost 10 takes some 90 ms of computing, and would stop everything for that long.
 */
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import type { PasswordChecker } from '../../auth/credentials.js'

/** Checks that wait; more are refused, since they could only wait longer. */
const WAITING_MAX = 100

const WORKER = `
const { parentPort, workerData } = require('node:worker_threads')
const bcrypt = require(workerData.library)
parentPort.on('message', ({ id, password, hash }) => {
  let matches = false
  try { matches = bcrypt.compareSync(password, hash) } catch {}
  parentPort.postMessage({ id, matches })
})
`

export function passwordWorker(): PasswordChecker & { close(): Promise<void> } {
  const waiting = new Map<number, (matches: boolean) => void>()
  let worker: Worker | undefined
  let nextId = 0
  const start = () => {
    const library = createRequire(import.meta.url).resolve('bcryptjs')
    const started = new Worker(WORKER, { eval: true, workerData: { library } })
    started.unref()
    started.on('message', ({ id, matches }: { id: number; matches: boolean }) => {
      waiting.get(id)?.(matches)
      waiting.delete(id)
    })
    const ended = () => {
      if (worker === started) worker = undefined
      for (const resolve of waiting.values()) resolve(false)
      waiting.clear()
    }
    started.on('error', ended)
    started.on('exit', ended)
    return started
  }
  return {
    matches(password, hash) {
      if (waiting.size >= WAITING_MAX) return Promise.resolve(false)
      worker ??= start()
      const id = nextId++
      return new Promise((resolve) => {
        waiting.set(id, resolve)
        worker?.postMessage({ id, password, hash })
      })
    },
    close: async () => {
      await worker?.terminate()
    },
  }
}
