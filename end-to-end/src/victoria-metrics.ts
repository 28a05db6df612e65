/** A real VictoriaMetrics, single node (Debian's package `victoria-metrics`). */
import { freePort, RunningProcess } from './process.js'

export class VictoriaMetrics {
  readonly address: string
  #process: RunningProcess

  private constructor(address: string, process: RunningProcess) {
    this.address = address
    this.#process = process
  }

  /** `directory` gets the data. Samples of any age are kept. */
  static async start(directory: string): Promise<VictoriaMetrics> {
    const address = `127.0.0.1:${await freePort()}`
    const process = await RunningProcess.start({
      name: 'victoria-metrics',
      command: 'victoria-metrics',
      args: [
        `-storageDataPath=${directory}/data`,
        `-httpListenAddr=${address}`,
        '-retentionPeriod=100y',
        '-loggerLevel=ERROR',
        '-search.maxUniqueTimeseries=3000000',
        '-search.disableCache',
      ],
      readyUrl: `http://${address}/health`,
    })
    return new VictoriaMetrics(address, process)
  }

  get pid(): number {
    return this.#process.pid
  }

  get output(): string {
    return this.#process.output
  }

  async kill(): Promise<void> {
    await this.#process.kill()
  }
}
