/** label_replace and label_join: they change labels of series, and look at no sample. */
import { METRIC_NAME } from '@varve/tsdb-core/model'
import { RE2JS } from 're2js'
import { PromqlError } from '../errors.js'
import { RowMerger } from '../operators/row-merger.js'
import { isValidLabelName } from '../parser/literal.js'
import { textOf, type VectorFunction } from './call.js'

export const labelReplace: VectorFunction = async function* (evaluator, node, grid, trace) {
  const { context } = evaluator
  const [target, template, source, pattern] = node.arguments.slice(1).map(textOf)
  let compiled: RE2JS
  try {
    compiled = RE2JS.compile(`^(?s:${pattern})$`)
  } catch (cause) {
    throw new PromqlError('execution', `invalid regular expression in label_replace(): ${pattern}`, { cause })
  }
  if (!isValidLabelName(target)) {
    throw new PromqlError('execution', `invalid destination label name in label_replace(): ${target}`)
  }
  const merger = new RowMerger(context, grid.count)
  const replaced = new Map<string, string | undefined>()
  for await (const batch of evaluator.batches(node.arguments[0], grid, trace)) {
    for (let row = 0; row < batch.seriesCount; row++) {
      if ((row & 63) === 63 && context.shouldYield()) await context.yield()
      const value = context.labels.value(batch.labelSets[row], source)
      // Few distinct values stand in many series.
      if (!replaced.has(value)) replaced.set(value, expand(compiled, template, value))
      const result = replaced.get(value)
      if (result === undefined) {
        merger.addRow(batch, row)
        continue
      }
      if (target === METRIC_NAME) batch.dropName[row] = 0
      merger.addRow(batch, row, context.labels.with(batch.labelSets[row], target, result))
    }
  }
  yield merger.batch
}

export const labelJoin: VectorFunction = async function* (evaluator, node, grid, trace) {
  const { context } = evaluator
  const [target, separator, ...sources] = node.arguments.slice(1).map(textOf)
  for (const source of sources) {
    if (!isValidLabelName(source)) {
      throw new PromqlError('execution', `invalid source label name in label_join(): ${source}`)
    }
  }
  if (!isValidLabelName(target)) {
    throw new PromqlError('execution', `invalid destination label name in label_join(): ${target}`)
  }
  const merger = new RowMerger(context, grid.count)
  for await (const batch of evaluator.batches(node.arguments[0], grid, trace)) {
    for (let row = 0; row < batch.seriesCount; row++) {
      if ((row & 63) === 63 && context.shouldYield()) await context.yield()
      const set = batch.labelSets[row]
      const joined = sources.map((source) => context.labels.value(set, source)).join(separator)
      if (target === METRIC_NAME) batch.dropName[row] = 0
      merger.addRow(batch, row, context.labels.with(set, target, joined))
    }
  }
  yield merger.batch
}

/** The template with the match's groups put in, or undefined if the value does not match. */
function expand(pattern: RE2JS, template: string, value: string): string | undefined {
  const match = pattern.matcher(value)
  if (!match.find()) return undefined
  const groupNames = pattern.namedGroups()
  const group = (name: string): string => {
    const index = /^\d+$/.test(name) ? Number(name) : (groupNames[name] ?? -1)
    return index < 0 || index > match.groupCount() ? '' : (match.group(index) ?? '')
  }
  // Go's templates: $1, $name (as long as it goes), ${name}, $$.
  return template.replace(/\$(?:\$|\{(\w+)\}|([\p{L}\p{Nd}_]+))/gu, (whole, braced, plain) => {
    if (whole === '$$') return '$'
    return group(braced ?? plain)
  })
}
