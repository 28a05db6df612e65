/** Puts the answers of several shards together: one symbol table, batches one shard after the other. */
import type { SelectResult } from '../query/queryable.js'
import type { SeriesBatch } from '../query/series-batch.js'
import { endedBy } from './ended-by.js'

export function mergeSelectResults(results: readonly SelectResult[], shardCount: number): SelectResult {
  const symbols: string[] = []
  const ids = new Map<string, number>()
  const warnings: string[] = []
  const idOf = (text: string): number => {
    const known = ids.get(text)
    if (known !== undefined) return known
    ids.set(text, symbols.length)
    symbols.push(text)
    return symbols.length - 1
  }
  async function* batches(): AsyncGenerator<SeriesBatch> {
    let begun = 0
    try {
      for (let shard = 0; shard < results.length; shard++) {
        const result = results[shard]
        const mapped: number[] = []
        begun++
        for await (const batch of result.batches) {
          const labelPairs = batch.labelPairs.map((symbol) => (mapped[symbol] ??= idOf(result.symbols[symbol])))
          const seriesRefs = batch.seriesRefs?.map((ref) => (ref === 0 ? 0 : ref * shardCount + shard))
          yield { ...batch, labelPairs, ...(seriesRefs !== undefined && { seriesRefs }) }
        }
        warnings.push(...result.warnings)
      }
    } finally {
      // Given up: those that nobody has begun to read hold on to their blocks too.
      await endResults(results.slice(begun))
    }
  }
  const seriesCountMax = totalOf(results.map((result) => result.seriesCountMax))
  const seriesWithoutColumn = totalOf(results.map((result) => result.seriesWithoutColumn))
  return {
    symbols,
    batches: endedBy(batches(), () => endResults(results)),
    warnings,
    infos: [],
    ...(seriesCountMax !== undefined && { seriesCountMax }),
    ...(seriesWithoutColumn !== undefined && { seriesWithoutColumn }),
  }
}

/** Absent where any is. */
function totalOf(counts: readonly (number | undefined)[]): number | undefined {
  return counts.reduce((sum, count) => (sum === undefined || count === undefined ? undefined : sum + count), 0)
}

/** Lets go of what results hold whose batches are not read. */
export async function endResults(results: readonly SelectResult[]): Promise<void> {
  for (const { batches } of results) await batches[Symbol.asyncIterator]().return?.()
}
