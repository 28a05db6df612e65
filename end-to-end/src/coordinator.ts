/** The real `varve coordinator`, as `npm run build` made it. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { freePort, RunningProcess } from './process.js'

/** The `varve` command. */
export const BINARY = fileURLToPath(new URL('../../packages/coordinator/bin/varve.mjs', import.meta.url))
const BUILT = fileURLToPath(new URL('../../packages/coordinator/dist/main.js', import.meta.url))

export interface CoordinatorOptions {
  readonly dataDirectory: string
  /** Flags besides `--data-dir` and `--listen`. */
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** To come back on the address of one that was killed. */
  readonly port?: number
}

export class Coordinator {
  readonly port: number
  #process: RunningProcess

  private constructor(port: number, process: RunningProcess) {
    this.port = port
    this.#process = process
  }

  static async start(options: CoordinatorOptions): Promise<Coordinator> {
    if (!existsSync(BUILT)) throw new Error('the coordinator is not built: run `npm run build` before these tests')
    const port = options.port ?? (await freePort())
    const process = await RunningProcess.start({
      name: 'varve coordinator',
      command: globalThis.process.execPath,
      args: [
        BINARY,
        'coordinator',
        ...['--data-dir', options.dataDirectory, '--listen', `127.0.0.1:${port}`],
        ...(options.flags ?? []),
      ],
      readyUrl: `http://127.0.0.1:${port}/-/ready`,
      ...(options.env === undefined ? {} : { env: options.env }),
    })
    return new Coordinator(port, process)
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.#process.pid
  }

  get output(): string {
    return this.#process.output
  }

  kill(): Promise<void> {
    return this.#process.kill()
  }

  stop(timeoutMs?: number): Promise<number | null> {
    return this.#process.stop(timeoutMs)
  }
}
