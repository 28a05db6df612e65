/**
 * A `Queryable` over raw and aggregated namespaces, which picks the resolution for each part of a query (DESIGN D7, D8).
 *
 * A query that raw samples alone answer is passed on as it is. Any other is read slice by slice and put together; all of it,
 * raw slices too, then comes as the one column that the function wants, so there is no step where two resolutions meet.
 */
import type { Database, Namespace } from '@varve/tsdb-core'
import type { Clock } from '@varve/tsdb-core/env'
import { compareLabels, compareUtf8, type Labels } from '@varve/tsdb-core/model'
import type {
  LabelRequest,
  LabelResult,
  Queryable,
  ResolutionSlice,
  SelectRequest,
  SelectResult,
  SeriesResult,
} from '@varve/tsdb-core/query'
import { formatDuration } from '../rules/duration.js'
import { chooseSlices, type SliceRequest, type Tier, type TierSlice } from './choose-slices.js'
import { type ColumnKind, columnKindOf } from './column-kind.js'
import type { RuleKnowledge } from './rule-knowledge.js'
import { SeriesParts } from './series-parts.js'
import { readTier } from './tier-reader.js'

const RAW = 'default'

export interface ResolutionPlannerOptions {
  readonly database: Database
  readonly clock: Clock
  readonly rules: () => RuleKnowledge
}

export class ResolutionPlanner implements Queryable {
  readonly #options: ResolutionPlannerOptions

  constructor(options: ResolutionPlannerOptions) {
    this.#options = options
  }

  async select(request: SelectRequest): Promise<SelectResult> {
    const { database } = this.#options
    const forced = request.hints?.namespace
    if (forced !== undefined && database.namespace(forced).options.resolutionMs === 0) {
      return database.namespace(forced).select(request)
    }
    if (this.#namespaces().every(({ options }) => options.resolutionMs === 0)) {
      return database.namespace(RAW).select(request)
    }
    const tiers = this.#tiers()
    const slices =
      forced === undefined ? chooseSlices(tiers, sliceRequest(request)) : forcedSlice(tiers, forced, request)
    const isRaw = slices.every(({ tier }) => tier.resolutionMs === 0)
    if (isRaw && !(await this.#hasOutputs(request, tiers))) return database.namespace(RAW).select(request)
    return this.#readSlices(request, slices, forced === undefined ? tiers : slices.map(({ tier }) => tier))
  }

  async labelNames(request: LabelRequest): Promise<LabelResult> {
    return this.#mergedLabels(request, (namespace) => namespace.labelNames(request))
  }

  async labelValues(name: string, request: LabelRequest): Promise<LabelResult> {
    return this.#mergedLabels(request, (namespace) => namespace.labelValues(name, request))
  }

  async series(request: LabelRequest): Promise<SeriesResult> {
    const found = new Map<string, Labels>()
    const warnings = new Set<string>()
    for (const namespace of this.#namespaces()) {
      const result = await namespace.series(request)
      for (const labels of result.series) if (!found.has(labels.key)) found.set(labels.key, labels)
      for (const warning of result.warnings) warnings.add(warning)
    }
    const series = [...found.values()].sort(compareLabels)
    return { series: limited(series, request.limit), warnings: [...warnings] }
  }

  async #mergedLabels(
    request: LabelRequest,
    read: (namespace: Namespace) => Promise<LabelResult>,
  ): Promise<LabelResult> {
    const values = new Set<string>()
    const warnings = new Set<string>()
    for (const namespace of this.#namespaces()) {
      const result = await read(namespace)
      for (const value of result.values) values.add(value)
      for (const warning of result.warnings) warnings.add(warning)
    }
    return { values: limited([...values].sort(compareUtf8), request.limit), warnings: [...warnings] }
  }

  async #readSlices(
    request: SelectRequest,
    slices: readonly TierSlice[],
    tiers: readonly Tier[],
  ): Promise<SelectResult> {
    const kind = columnKindOf(request.hints?.function ?? '')
    const parts = new SeriesParts()
    const warnings = new Set<string>()
    const served: ResolutionSlice[] = []
    for (const slice of widened(slices, request)) {
      parts.beginSlice()
      for (const tier of this.#candidates(slice, tiers, request)) {
        const { afterMs, untilMs } = slice
        const { namespace, resolutionMs } = tier
        const { matchers } = request
        const { database } = this.#options
        if (tier !== slice.tier && !(await this.#hasMore(tier, slice, request, parts))) continue
        const read = { database, namespace, resolutionMs, kind, matchers, afterMs, untilMs, request, warnings }
        const count = await readTier(read, parts)
        if (count > 0 || tier === slice.tier) served.push(resolutionSlice(tier, slice, kind))
      }
    }
    served.sort((a, b) => a.startMs - b.startMs || a.resolutionMs - b.resolutionMs)
    return {
      symbols: parts.symbols,
      batches: this.#batches(parts, kind, request.signal),
      warnings: [...warnings],
      infos: infosOf(served, request),
      slices: served,
    }
  }

  async *#batches(parts: SeriesParts, kind: ColumnKind, signal: AbortSignal | undefined) {
    for (const batch of parts.batches(kind === 'sum')) {
      signal?.throwIfAborted()
      await this.#options.clock.yield()
      yield batch
    }
  }

  /** The tier of the slice first, then others that may have series which it lacks: finer ones before coarser ones. */
  #candidates(slice: TierSlice, tiers: readonly Tier[], request: SelectRequest): Tier[] {
    const rules = this.#options.rules()
    const { tier, afterMs } = slice
    const hasAll = tier.resolutionMs === 0 || rules.mapsAll(request.matchers, tier.namespace, afterMs)
    if (hasAll && !rules.outputsMayMatch(request.matchers)) return [tier]
    const others = tiers.filter(
      (other) => other !== tier && other.heldFromMs < slice.untilMs && other.heldUntilMs > afterMs,
    )
    const finer = others.filter((other) => other.resolutionMs < tier.resolutionMs)
    const coarser = others.filter((other) => other.resolutionMs >= tier.resolutionMs)
    return [
      tier,
      ...finer.sort((a, b) => b.resolutionMs - a.resolutionMs),
      ...coarser.sort((a, b) => a.resolutionMs - b.resolutionMs),
    ]
  }

  /** Whether the tier has series that the slice lacks so far. Labels alone are looked at. */
  async #hasMore(tier: Tier, slice: TierSlice, request: SelectRequest, parts: SeriesParts): Promise<boolean> {
    const { series } = await this.#options.database.namespace(tier.namespace).series({
      matchers: request.matchers,
      startMs: slice.afterMs + 1,
      endMs: Math.min(slice.untilMs, Number.MAX_SAFE_INTEGER - 1) + 1,
    })
    return series.some((labels) => !parts.has(labels.flat.map((text) => parts.idOf(text)).join()))
  }

  /** Whether some output of a rollup rule is selected that raw samples do not have. */
  async #hasOutputs(request: SelectRequest, tiers: readonly Tier[]): Promise<boolean> {
    if (!this.#options.rules().outputsMayMatch(request.matchers)) return false
    const { matchers, startMs, endMs } = request
    const range = { matchers, startMs, endMs }
    const raw = new Set((await this.#options.database.namespace(RAW).series(range)).series.map(({ key }) => key))
    for (const tier of tiers) {
      if (tier.resolutionMs === 0) continue
      const { series } = await this.#options.database.namespace(tier.namespace).series(range)
      if (series.some(({ key }) => !raw.has(key))) return true
    }
    return false
  }

  #namespaces(): Namespace[] {
    const { database } = this.#options
    return database.namespaces().map((name) => database.namespace(name))
  }

  #tiers(): Tier[] {
    const { database, clock } = this.#options
    const nowMs = clock.wallMs()
    const tiers: Tier[] = []
    for (const namespace of this.#namespaces()) {
      const { name } = namespace
      const { resolutionMs, retentionMs } = namespace.options
      if (resolutionMs === 0 && name !== RAW) continue
      const { firstMs } = namespace.stats()
      const watermarkMs = resolutionMs === 0 ? Infinity : (database.watermark(name, 0) ?? -Infinity)
      const oldestMs = firstMs === undefined ? Infinity : firstMs - Math.max(1, resolutionMs)
      const retainedMs = nowMs - retentionMs
      const heldFromMs = resolutionMs === 0 ? oldestMs : alignedUp(Math.max(oldestMs, retainedMs), resolutionMs)
      tiers.push({ namespace: name, resolutionMs, heldFromMs, heldUntilMs: watermarkMs })
    }
    return tiers.map((tier) =>
      tier.resolutionMs === 0 && holdsEverything(tier, tiers) ? { ...tier, heldFromMs: -Infinity } : tier,
    )
  }
}

/** Raw samples from the very beginning: nothing of what was rolled up has expired. */
function holdsEverything(raw: Tier, tiers: readonly Tier[]): boolean {
  return tiers.every((tier) => tier.resolutionMs === 0 || tier.heldFromMs + tier.resolutionMs >= raw.heldFromMs)
}

function sliceRequest(request: SelectRequest): SliceRequest {
  const { hints, startMs, endMs } = request
  return {
    afterMs: startMs - 1,
    untilMs: endMs - 1,
    stepMs: hints?.stepMs ?? 0,
    rangeMs: hints?.rangeMs ?? endMs - startMs,
    evaluationStartMs: hints?.evaluationStartMs ?? endMs - 1,
    evaluationEndMs: hints?.evaluationEndMs ?? endMs - 1,
    isInstant: hints?.function === '',
    resolutionMsMax: hints?.resolutionMsMax ?? Infinity,
  }
}

function forcedSlice(tiers: readonly Tier[], namespace: string, request: SelectRequest): TierSlice[] {
  const tier = tiers.find((candidate) => candidate.namespace === namespace)
  return tier ? [{ tier, afterMs: request.startMs - 1, untilMs: request.endMs - 1 }] : []
}

/** A range or lookback below the resolution reads one whole window back. */
function widened(slices: readonly TierSlice[], request: SelectRequest): TierSlice[] {
  const rangeMs = request.hints?.rangeMs
  const [first, ...rest] = slices
  if (first === undefined || rangeMs === undefined || first.tier.resolutionMs <= rangeMs) return [...slices]
  return [{ ...first, afterMs: first.afterMs - (first.tier.resolutionMs - rangeMs) }, ...rest]
}

function resolutionSlice(tier: Tier, slice: TierSlice, kind: ColumnKind): ResolutionSlice {
  const { namespace, resolutionMs } = tier
  return { startMs: slice.afterMs + 1, endMs: slice.untilMs + 1, namespace, resolutionMs, column: kind }
}

function infosOf(served: readonly ResolutionSlice[], request: SelectRequest): string[] {
  const infos: string[] = []
  const texts = served.map(({ startMs, endMs, namespace, resolutionMs }) => {
    const what = resolutionMs === 0 ? 'raw samples' : `resolution ${formatDuration(resolutionMs)} (${namespace})`
    return `${what} from ${timeText(startMs)} to ${timeText(endMs - 1)}`
  })
  if (served.some(({ resolutionMs }) => resolutionMs > 0)) infos.push(`PromQL info: answered from ${texts.join(', ')}`)
  const { rangeMs } = request.hints ?? {}
  const coarsestMs = Math.max(0, ...served.map(({ resolutionMs }) => resolutionMs))
  if (rangeMs !== undefined && coarsestMs > rangeMs) {
    const what = request.hints?.function === '' ? 'lookback' : 'range'
    infos.push(
      `PromQL info: the ${what} ${formatDuration(rangeMs)} is widened to the resolution ${formatDuration(coarsestMs)}`,
    )
  }
  return infos
}

function timeText(timeMs: number): string {
  return Math.abs(timeMs) < 8.64e15 ? new Date(timeMs).toISOString() : String(timeMs)
}

function alignedUp(timeMs: number, resolutionMs: number): number {
  return Math.ceil(timeMs / resolutionMs) * resolutionMs
}

function limited<T>(values: T[], limit: number | undefined): T[] {
  return limit !== undefined && limit > 0 ? values.slice(0, limit) : values
}
