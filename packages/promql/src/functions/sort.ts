/** sort, sort_desc, sort_by_label and sort_by_label_desc: the order of an instant query's answer. */
import type { QueryContext } from '../engine/query-context.js'
import { VectorBatch } from '../operators/vector-batch.js'
import { textOf, type VectorFunction } from './call.js'
import { compareNatural } from './natural-order.js'

/** By value, NaN last in both directions. Histograms are dropped. */
export function sortByValue(sign: 1 | -1): VectorFunction {
  return async function* (evaluator, node, grid, trace) {
    const batch = await evaluator.vector(node.arguments[0], grid, trace)
    if (grid.count > 1) {
      evaluator.context.annotations.sortInRangeQuery(node.position)
      batch.removeHistograms()
      yield batch
      return
    }
    batch.removeHistograms()
    const rows = rowsOf(batch)
    yield inOrder(
      batch,
      rows.sort((a, b) => {
        const x = batch.values[a]
        const y = batch.values[b]
        if (Number.isNaN(x)) return Number.isNaN(y) ? 0 : 1
        if (Number.isNaN(y)) return -1
        return sign * (x - y) || (x === y ? 0 : sign * (x < y ? -1 : 1))
      }),
    )
  }
}

/** By the values of labels in natural order (2 before 10), then by all labels. */
export function sortByLabel(sign: 1 | -1): VectorFunction {
  return async function* (evaluator, node, grid, trace) {
    const { context } = evaluator
    const batch = await evaluator.vector(node.arguments[0], grid, trace)
    if (grid.count > 1) {
      context.annotations.sortInRangeQuery(node.position)
      yield batch
      return
    }
    const names = node.arguments.slice(1).map(textOf)
    const rows = rowsOf(batch)
    yield inOrder(
      batch,
      rows.sort((a, b) => sign * compareByLabels(context, names, batch.labelSets[a], batch.labelSets[b])),
    )
  }
}

function compareByLabels(context: QueryContext, names: readonly string[], a: number, b: number): number {
  const { labels } = context
  for (const name of names) {
    const x = labels.value(a, name)
    const y = labels.value(b, name)
    if (x !== y) return compareNatural(x, y)
  }
  return labels.compare(a, b)
}

function rowsOf(batch: VectorBatch): number[] {
  const rows: number[] = []
  for (let row = 0; row < batch.seriesCount; row++) if (batch.hasSamples(row)) rows.push(row)
  return rows
}

function inOrder(batch: VectorBatch, rows: readonly number[]): VectorBatch {
  const out = new VectorBatch(batch.steps, rows.length)
  for (const row of rows) out.addCopy(batch, row)
  return out
}
