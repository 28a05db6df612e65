/** A store in which there is nothing: for a tenant that has never written. */
import type { Queryable } from '@varve/tsdb-core/query'

async function* nothing(): AsyncGenerator<never> {}

export const EMPTY: Queryable = {
  select: async () => ({ symbols: [], batches: nothing(), warnings: [], infos: [] }),
  labelNames: async () => ({ values: [], warnings: [] }),
  labelValues: async () => ({ values: [], warnings: [] }),
  series: async () => ({ series: [], warnings: [] }),
}
