/** The process that a command runs in. */
import { createReadStream, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import type { Env } from '@varve/tsdb-core/env'
import type { Program, RuntimeInfo, TextOutput } from '../../cli/program.js'
import type { HttpClient } from '../../server/http-client.js'
import { nodeHttpClient } from './http-client.js'

export function nodeProgram(env: Env): Program {
  let http: HttpClient | undefined
  let runtime: RuntimeInfo | undefined
  return {
    env,
    // Made when asked for: `varve version` needs neither.
    get http() {
      return (http ??= nodeHttpClient())
    },
    get runtime() {
      return (runtime ??= nodeRuntime())
    },
    stdout: textOutput(process.stdout),
    stderr: textOutput(process.stderr),
    variable: (name) => process.env[name],
    resolvePath: (path) => resolve(path),
    readText: (path) => readFile(path, 'utf8'),
    readFile: (path) => createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>,
    readStandardInput: () => process.stdin as AsyncIterable<Uint8Array>,
    onStop(stop) {
      let told = false
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        process.on(signal, () => {
          if (told) process.exit(signal === 'SIGINT' ? 130 : 143)
          told = true
          stop(signal)
        })
      }
    },
    exitAfter: (delayMs, code) => void setTimeout(() => process.exit(code), delayMs).unref(),
    onReload: (reload) => void process.on('SIGHUP', reload),
  }
}

function textOutput(stream: NodeJS.WriteStream): TextOutput {
  // A reader such as `head` may go before we are done: that is no error of ours.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return {
    write: (text) => void stream.write(text),
    drained: () =>
      stream.writableNeedDrain ? new Promise((done) => stream.once('drain', () => done())) : Promise.resolve(),
    isTerminal: stream.isTTY === true,
    columns: stream.columns ?? 80,
  }
}

function nodeRuntime(): RuntimeInfo {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  let collectionMsMax = 0
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collectionMsMax = Math.max(collectionMsMax, duration)
  }).observe({ entryTypes: ['gc'] })
  return {
    nodeVersion: process.version,
    platform: `${process.platform} ${process.arch}`,
    hostName: hostname(),
    processId: process.pid,
    workingDirectory: process.cwd(),
    usage() {
      const cpu = process.cpuUsage()
      const memory = process.memoryUsage()
      // The monitor counts its own pause of 10 ms as delay.
      const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - 0.01)
      const usage = {
        cpuSeconds: (cpu.user + cpu.system) / 1e6,
        residentBytes: memory.rss,
        heapBytes: memory.heapUsed,
        externalBytes: memory.external,
        openFiles: openFileCount(),
        eventLoopDelaySecondsMax: seconds(delay.max),
        eventLoopDelaySecondsP99: seconds(delay.percentile(99)),
        collectionSecondsMax: collectionMsMax / 1000,
      }
      delay.reset()
      collectionMsMax = 0
      return usage
    },
  }
}

/** 0 where the system does not tell. */
function openFileCount(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return 0
  }
}
