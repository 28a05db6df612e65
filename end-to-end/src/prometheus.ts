/** A real Prometheus (Debian's package `prometheus`). */
import { writeFile } from 'node:fs/promises'
import { freePort, RunningProcess } from './process.js'

export interface PrometheusOptions {
  /** Exists; gets the configuration and the data. */
  readonly directory: string
  /** The YAML after `global:`; `{self}` in it becomes Prometheus' own address. */
  readonly config: string
  readonly scrapeIntervalSeconds?: number
  readonly externalLabels?: Readonly<Record<string, string>>
  /** More flags, such as `--web.enable-remote-write-receiver`. */
  readonly flags?: readonly string[]
}

export class Prometheus {
  readonly address: string
  #process: RunningProcess

  private constructor(address: string, process: RunningProcess) {
    this.address = address
    this.#process = process
  }

  static async start(options: PrometheusOptions): Promise<Prometheus> {
    const address = `127.0.0.1:${await freePort()}`
    const external = Object.entries(options.externalLabels ?? {}).map(([name, value]) => `    ${name}: ${value}\n`)
    const seconds = options.scrapeIntervalSeconds ?? 1
    const config =
      `global:\n  scrape_interval: ${seconds}s\n  scrape_timeout: ${seconds}s\n` +
      (external.length > 0 ? `  external_labels:\n${external.join('')}` : '') +
      options.config.replaceAll('{self}', address)
    const path = `${options.directory}/prometheus.yml`
    await writeFile(path, config)
    const process = await RunningProcess.start({
      name: 'prometheus',
      command: 'prometheus',
      args: [
        `--config.file=${path}`,
        `--storage.tsdb.path=${options.directory}/data`,
        `--web.listen-address=${address}`,
        '--log.level=warn',
        ...(options.flags ?? []),
      ],
      readyUrl: `http://${address}/-/ready`,
    })
    return new Prometheus(address, process)
  }

  get output(): string {
    return this.#process.output
  }

  get pid(): number {
    return this.#process.pid
  }

  async kill(): Promise<void> {
    await this.#process.kill()
  }
}
