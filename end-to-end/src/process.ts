/**
 * A real process under test: started on loopback, with all that it printed kept for the failure message, ended by its own id.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export interface ProcessOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Polled until it answers 200. */
  readonly readyUrl: string
  readonly readyTimeoutMs?: number
}

export class RunningProcess {
  readonly name: string
  #child: ChildProcess
  #output = ''
  #exited: Promise<number | null>

  private constructor(name: string, child: ChildProcess) {
    this.name = name
    this.#child = child
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-1_000_000)
    }
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    this.#exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)))
  }

  static async start(options: ProcessOptions): Promise<RunningProcess> {
    const child = spawn(options.command, options.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    const running = new RunningProcess(options.name, child)
    let failure = ''
    child.once('error', (error) => {
      failure = error.message
    })
    const timeoutMs = options.readyTimeoutMs ?? 20_000
    try {
      await waitFor(`${options.name} ready at ${options.readyUrl}`, timeoutMs, async () => {
        if (failure !== '') throw new Stop(`${options.command}: ${failure}`)
        if (child.exitCode !== null) throw new Stop(`${options.name} ended with code ${child.exitCode}`)
        return (await fetch(options.readyUrl)).status === 200
      })
    } catch (error) {
      await running.kill()
      throw new Error(`${(error as Error).message}\n--- output of ${options.name}\n${running.output}`)
    }
    return running
  }

  get pid(): number {
    return this.#child.pid as number
  }

  /** What it wrote to stdout and stderr, the last megabyte of it. */
  get output(): string {
    return this.#output
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** `kill -9`, and waits for the end. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined) {
      this.#child.kill('SIGKILL')
      await this.#exited
    }
  }

  /** SIGTERM; resolves with the exit code. Rejects when it takes longer than `timeoutMs`, after killing it. */
  async stop(timeoutMs = 5_000): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode
    this.#child.kill('SIGTERM')
    const late = Symbol('late')
    const code = await Promise.race([this.#exited, delay(timeoutMs, late, { ref: false })])
    if (code === late) {
      await this.kill()
      throw new Error(`${this.name} did not stop within ${timeoutMs} ms of SIGTERM\n${this.output.slice(-4000)}`)
    }
    return code as number | null
  }
}

class Stop extends Error {}

/** Polls until `holds` is true; an error thrown by it counts as "not yet" and is told at the end. */
export async function waitFor(what: string, timeoutMs: number, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      if (await holds()) return
      last = undefined
    } catch (error) {
      if (error instanceof Stop) throw error
      last = error
    }
    if (Date.now() >= deadline) {
      throw new Error(`waited ${timeoutMs} ms for: ${what}${last === undefined ? '' : `; last error: ${String(last)}`}`)
    }
    await delay(50)
  }
}

/** A port of loopback that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
