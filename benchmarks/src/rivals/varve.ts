import { Database } from '@varve/tsdb-core'
import { Labels } from '@varve/tsdb-core/model'
import type { RecordedFleet } from '../storage/recorded-fleet.js'
import { addUp, type Rival } from './rival.js'

const BATCH = 2_000

export class VarveRival implements Rival {
  readonly name = 'varve'
  readonly #directory: string
  #database: Database | undefined
  #labels: Labels[] = []

  constructor(directory: string) {
    this.#directory = directory
  }

  async load(recorded: RecordedFleet): Promise<void> {
    this.#labels = recorded.fleet.series.map((one) => Labels.fromSorted(one.labels))
    const database = await this.#open()
    const namespace = database.namespace('default')
    const refs = await namespace.resolveLabels(this.#labels)
    const seriesRefs = recorded.series.map((index) => refs[index])
    for (let from = 0; from < recorded.sampleCount; from += BATCH) {
      const to = Math.min(recorded.sampleCount, from + BATCH)
      await namespace.append({
        count: to - from,
        seriesRefs: seriesRefs.subarray(from, to),
        timestampsMs: recorded.timestampsMs.subarray(from, to),
        values: recorded.values.subarray(from, to),
      })
    }
    await database.flush()
    await database.close()
  }

  async reopen(): Promise<void> {
    this.#database = await this.#open()
  }

  async sumOfSeries(series: number): Promise<{ count: number; sum: number }> {
    const matchers = [...this.#labels[series]].map(([name, value]) => ({ name, operator: '=' as const, value }))
    return this.#sum(matchers)
  }

  async sumOfFirst(seriesCount: number): Promise<{ count: number; sum: number }> {
    // The series of the first hosts: each host's labels stand together in the fleet.
    const hosts = new Set(this.#labels.slice(0, seriesCount).map((labels) => labels.get('instance')))
    return this.#sum([{ name: 'instance', operator: '=~', value: [...hosts].join('|') }])
  }

  async close(): Promise<void> {
    await this.#database?.close()
  }

  async #sum(
    matchers: { name: string; operator: '=' | '=~'; value: string }[],
  ): Promise<{ count: number; sum: number }> {
    const { batches } = await (this.#database as Database).select({ matchers, startMs: 0, endMs: 2e12 })
    const into = { count: 0, sum: 0 }
    for await (const { values } of batches) addUp(values, into)
    return into
  }

  #open(): Promise<Database> {
    return Database.open({
      directory: this.#directory,
      namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } },
      syncMode: 'interval',
      syncIntervalMs: 100,
      memoryBytesMax: 4 * 1024 ** 3,
      newSeriesPerSecondMax: 1e9,
    })
  }
}
