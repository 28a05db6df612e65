/** A short life that is lived twice, on a real disk under strace and on a simulated one: both must do the same, in the same order. */
import { Database } from '@varve/tsdb-core'
import type { Env } from '@varve/tsdb-core/env'

export async function liveShortly(directory: string, env: Env): Promise<void> {
  const open = () =>
    Database.open({
      directory,
      env,
      namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } },
      diskReserveBytes: 0,
      maintenanceIntervalMs: 0,
    })
  let database = await open()
  const sample = (timestampMs: number) => ({
    labels: { __name__: 'up', instance: 'a' },
    timestampMs,
    value: timestampMs,
  })
  await database.append([sample(1_000)])
  await database.append([sample(2_000)])
  await database.flush()
  await database.createNamespace('extra')
  await database.append([sample(1_500), sample(7_300_000)])
  const matchers = [{ name: 'instance', operator: '=', value: 'a' }] as const
  await database.namespace('default').deleteSamples({ matchers, startMs: 0, endMs: 1_100 })
  await database.flush()
  await database.append([sample(3_000)])
  await database.snapshot(`${directory}/snapshots/one`)
  await database.append([sample(4_000)])
  await database.close()
  database = await open()
  await database.append([sample(5_000)])
  await database.close()
}
