/** What a command sees of the process it runs in. `env/node/program.ts` has the real one. */
import type { Env } from '@varve/tsdb-core/env'
import type { HttpClient } from '../server/http-client.js'

export interface Program {
  readonly env: Env
  readonly http: HttpClient
  readonly stdout: TextOutput
  readonly stderr: TextOutput
  /** An environment variable, `undefined` when it is not set. */
  variable(name: string): string | undefined
  /** Absolute, with `/` between names. */
  resolvePath(path: string): string
  readText(path: string): Promise<string>
  /** A file in parts, for those that may be large. */
  readFile(path: string): AsyncIterable<Uint8Array>
  /** Standard input until its end. */
  readStandardInput(): AsyncIterable<Uint8Array>
  /** Called on SIGTERM and SIGINT; a second signal ends the process at once. */
  onStop(stop: (signal: string) => void): void
  /** Called on SIGHUP. */
  onReload(reload: () => void): void
  /** Ends the process with this code should anything still hold it then. */
  exitAfter(delayMs: number, code: number): void
  readonly runtime: RuntimeInfo
}

export interface TextOutput {
  write(text: string): void
  /** Resolves once the text was taken, for long outputs. */
  drained(): Promise<void>
  readonly isTerminal: boolean
  readonly columns: number
}

export interface RuntimeInfo {
  readonly nodeVersion: string
  readonly platform: string
  readonly hostName: string
  readonly processId: number
  readonly workingDirectory: string
  /** Of this process, for `/metrics`. */
  usage(): RuntimeUsage
}

export interface RuntimeUsage {
  readonly cpuSeconds: number
  readonly residentBytes: number
  readonly heapBytes: number
  readonly externalBytes: number
  readonly openFiles: number
  /** Since the last call. */
  readonly eventLoopDelaySecondsMax: number
  readonly eventLoopDelaySecondsP99: number
  /** The longest pause of the garbage collector since the last call. */
  readonly collectionSecondsMax: number
}

/** Exit codes: done; failed, or damage found; called wrongly. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const
