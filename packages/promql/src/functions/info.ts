/**
 * info(v, {selector}): adds data labels of info metrics (`target_info` unless the selector names others) to series with the
 * same `instance` and `job`.
 *
 * Of several info series for one target the one with the newest sample counts. Info metrics themselves pass unchanged.
 * Source: Prometheus, promql/info.go.
 */
import { type Matcher, METRIC_NAME } from '@varve/tsdb-core/model'
import { compileMatcher } from '@varve/tsdb-core/query'
import { formatLabels } from '../engine/go-format.js'
import type { QueryContext } from '../engine/query-context.js'
import type { TraceNode } from '../engine/stats.js'
import { PromqlError } from '../errors.js'
import type { Evaluator } from '../operators/evaluator.js'
import type { Grid } from '../operators/grid.js'
import { RowMerger } from '../operators/row-merger.js'
import { selectBatches } from '../operators/select.js'
import type { SeriesSource } from '../operators/series-source.js'
import { ABSENT, VectorBatch } from '../operators/vector-batch.js'
import type { CallPlan, PlanNode, SelectPlan } from '../plan/plan.js'

const TARGET_INFO = 'target_info'
/** The labels by which an info series belongs to a target. */
const IDENTIFYING = ['instance', 'job']

export async function* info(
  evaluator: Evaluator,
  source: SeriesSource,
  node: CallPlan,
  grid: Grid,
  trace: TraceNode,
): AsyncGenerator<VectorBatch> {
  const base = await evaluator.vector(node.arguments[0], grid, trace)
  const selector = node.arguments[1]
  const matchers = selector === undefined ? [] : selectorOf(selector).matchers
  const run = new InfoRun(evaluator.context, base, matchers)
  await run.readInfoSeries(evaluator, source, node, grid, trace)
  yield run.combine(grid)
}

interface InfoRow {
  readonly batch: VectorBatch
  readonly row: number
  /** Metric and identifying labels, interned. */
  readonly signature: number
}

class InfoRun {
  readonly #context: QueryContext
  readonly #base: VectorBatch
  readonly #nameMatchers: readonly Matcher[]
  readonly #dataMatchers: readonly Matcher[]
  readonly #ignored: Uint8Array
  readonly #identifyingIds: Set<number>
  /** Sample times in seconds instead of values: the newest wins. */
  readonly #infoRows: InfoRow[] = []
  readonly #metricNames = new Set<string>()

  constructor(context: QueryContext, base: VectorBatch, matchers: readonly Matcher[]) {
    this.#context = context
    this.#base = base
    this.#nameMatchers = matchers.filter(({ name }) => name === METRIC_NAME)
    this.#dataMatchers = matchers.filter(({ name }) => name !== METRIC_NAME)
    this.#identifyingIds = new Set(IDENTIFYING.map((name) => context.labels.textId(name)))
    this.#ignored = this.#findInfoMetrics(matchers)
  }

  /** Base series that are info metrics themselves. A selector without a name ignores none. */
  #findInfoMetrics(matchers: readonly Matcher[]): Uint8Array {
    const names = matchers.length === 0 ? [isTargetInfo] : this.#nameMatchers
    const compiled = names.map(compileMatcher)
    const ignored = new Uint8Array(this.#base.seriesCount)
    for (let row = 0; row < this.#base.seriesCount; row++) {
      const name = this.#context.labels.metricName(this.#base.labelSets[row])
      if (compiled.length > 0 && compiled.every((matcher) => matcher.matches(name))) ignored[row] = 1
    }
    return ignored
  }

  async readInfoSeries(
    evaluator: Evaluator,
    source: SeriesSource,
    node: CallPlan,
    grid: Grid,
    trace: TraceNode,
  ): Promise<void> {
    const targets = this.#targetMatchers()
    if (targets.length === 0) return
    const names = this.#nameMatchers.length === 0 ? [isTargetInfo] : this.#nameMatchers
    const time = firstSelector(node.arguments[0])
    const select: SelectPlan = {
      kind: 'select',
      matchers: [...names, ...targets, ...this.#dataMatchers],
      // The info series are read as of the time of the first selector.
      offsetMs: time?.offsetMs ?? 0,
      atMs: time?.atMs,
      anchored: false,
      smoothed: false,
      statsOnly: false,
      position: node.position,
    }
    const { labels } = this.#context
    const nameId = labels.textId(METRIC_NAME)
    for await (const batch of selectBatches(evaluator, source, select, grid, trace, 'timestamp')) {
      const copy = new VectorBatch(batch.steps, batch.seriesCount)
      for (let row = 0; row < batch.seriesCount; row++) {
        copy.addCopy(batch, row)
        const set = batch.labelSets[row]
        this.#metricNames.add(labels.metricName(set))
        const signature = labels.filter(set, (id) => id === nameId || this.#identifyingIds.has(id))
        this.#infoRows.push({ batch: copy, row, signature })
      }
    }
  }

  /** Tests for the targets that the base series are of. */
  #targetMatchers(): Matcher[] {
    const { labels } = this.#context
    const matchers: Matcher[] = []
    for (const name of IDENTIFYING) {
      const values = new Set<string>()
      for (let row = 0; row < this.#base.seriesCount; row++) {
        if (this.#ignored[row] === 0) values.add(labels.value(this.#base.labelSets[row], name))
      }
      values.delete('')
      if (values.size > 0) matchers.push({ name, operator: '=~', value: [...values].map(quoteMeta).join('|') })
    }
    return matchers
  }

  combine(grid: Grid): VectorBatch {
    const { labels } = this.#context
    const base = this.#base
    const merger = new RowMerger(this.#context, grid.count)
    const allowsNone = this.#dataMatchers.every((matcher) => compileMatcher(matcher).matchesEmpty)
    const signatures = this.#baseSignatures()
    const enrichedOf = new Map<string, number>()
    for (let s = 0; s < grid.count; s++) {
      const newest = this.#newestAt(s)
      for (let row = 0; row < base.seriesCount; row++) {
        const at = row * base.steps + s
        if (base.presence[at] === ABSENT) continue
        let set = base.labelSets[row]
        if (this.#ignored[row] === 0) {
          const found = signatures[row].map((signature) => newest.get(signature)).filter((info) => info !== undefined)
          if (found.length === 0 && !allowsNone) continue
          const key = `${set} ${found.map((info) => info.batch.labelSets[info.row]).join(' ')}`
          let enriched = enrichedOf.get(key)
          if (enriched === undefined) enrichedOf.set(key, (enriched = this.#enrich(set, found)))
          set = enriched
        }
        const to = merger.rowOf(labels.canonical(set), base.dropName[row])
        merger.checkFree(to, s)
        merger.batch.copyStep(to, s, base, at)
      }
    }
    return merger.batch
  }

  /** For each base row, the signatures under which its info series would stand. */
  #baseSignatures(): number[][] {
    const { labels } = this.#context
    const signatures: number[][] = []
    for (let row = 0; row < this.#base.seriesCount; row++) {
      const identity = labels.filter(this.#base.labelSets[row], (id) => this.#identifyingIds.has(id))
      signatures.push([...this.#metricNames].map((name) => labels.with(identity, METRIC_NAME, name)))
    }
    return signatures
  }

  /** By signature, the info series with the newest sample at a step. */
  #newestAt(step: number): Map<number, InfoRow> {
    const { labels } = this.#context
    const newest = new Map<number, InfoRow>()
    const timeOf = ({ batch, row }: InfoRow) => batch.values[row * batch.steps + step]
    for (const info of this.#infoRows) {
      if (info.batch.presence[info.row * info.batch.steps + step] === ABSENT) continue
      const other = newest.get(info.signature)
      if (other !== undefined && timeOf(other) > timeOf(info)) continue
      if (other !== undefined && timeOf(other) === timeOf(info)) {
        const text = (each: InfoRow) =>
          `${formatLabels(labels.labels(each.batch.labelSets[each.row]))} @ ${Math.round(timeOf(each) * 1000)}`
        throw new PromqlError(
          'execution',
          `found duplicate series for info metric: existing ${text(other)}, new ${text(info)}`,
        )
      }
      newest.set(info.signature, info)
    }
    return newest
  }

  /** The base labels with the data labels of info series; what the base has already stays. */
  #enrich(set: number, found: readonly InfoRow[]): number {
    const { labels } = this.#context
    const wanted = new Set(this.#dataMatchers.map(({ name }) => name))
    const added = new Map<string, string>()
    for (const { batch, row } of found) {
      for (const [name, value] of labels.labels(batch.labelSets[row])) {
        if (name === METRIC_NAME || (wanted.size > 0 && !wanted.has(name))) continue
        const known = added.get(name)
        if (known !== undefined && known !== value) throw new PromqlError('execution', `conflicting label: ${name}`)
        if (labels.value(set, name) === '') added.set(name, value)
      }
    }
    let result = set
    for (const [name, value] of added) result = labels.with(result, name, value)
    return result
  }
}

const isTargetInfo: Matcher = { name: METRIC_NAME, operator: '=', value: TARGET_INFO }

function selectorOf(node: PlanNode): SelectPlan {
  const inner = node.kind === 'invariant' ? node.child : node
  if (inner.kind !== 'select') throw new PromqlError('execution', 'expected label selectors only')
  return inner
}

/** The selector whose time the whole expression is taken to have. */
function firstSelector(node: PlanNode): { offsetMs: number; atMs: number | undefined } | undefined {
  switch (node.kind) {
    case 'select':
    case 'window':
      return node
    case 'subquery':
    case 'sign':
    case 'invariant':
      return firstSelector(node.child)
    case 'aggregation':
      return firstSelector(node.child) ?? (node.parameter && firstSelector(node.parameter))
    case 'binary':
      return firstSelector(node.left) ?? firstSelector(node.right)
    case 'rangeCall':
      return firstSelector(node.source)
    case 'call':
      for (const argument of node.arguments) {
        const found = firstSelector(argument)
        if (found !== undefined) return found
      }
      return undefined
    default:
      return undefined
  }
}

function quoteMeta(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')
}
