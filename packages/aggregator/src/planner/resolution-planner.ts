/**
 * A `Queryable` over raw and aggregated namespaces, which picks the resolution for each part of a query (DESIGN D7, D8).
 *
 * A query that raw samples alone answer is passed on as it is. Any other is read slice by slice and put together; all of it,
 * raw slices too, then comes as the one column that the function wants, so there is no step where two resolutions meet.
 * A large answer is put together for some series at a time, while it is read: what is in memory does not grow with it.
 */
import type { Database, Namespace } from '@varve/tsdb-core'
import type { Clock } from '@varve/tsdb-core/env'
import type { Labels } from '@varve/tsdb-core/model'
import type {
  LabelRequest,
  LabelResult,
  Queryable,
  ResolutionSlice,
  SelectRequest,
  SelectResult,
  SeriesResult,
} from '@varve/tsdb-core/query'
import type { DropFacts } from '../drops/raw-drops.js'
import { infosOf, leftOutWarning, resolutionSlice, WarningList } from './answer-infos.js'
import { chooseSlices, type SliceRequest, type Tier, type TierSlice } from './choose-slices.js'
import { type ColumnKind, columnKindOf, weighsValues } from './column-kind.js'
import { columnStream } from './column-stream.js'
import { DroppedSeries } from './dropped-series.js'
import { labelUnion, seriesUnion } from './label-union.js'
import type { RuleKnowledge } from './rule-knowledge.js'
import { chunksOf, SAMPLES_PER_PART, type SeriesChunk } from './series-chunks.js'
import { PartSymbols, SeriesParts } from './series-parts.js'
import { readTier, type TierOutcome } from './tier-reader.js'

const RAW = 'default'

export interface ResolutionPlannerOptions {
  readonly database: Database
  readonly clock: Clock
  readonly rules: () => RuleKnowledge
  /** What is known of dropped raw samples. Absent: none are. */
  readonly drops?: () => DropFacts
  /** So many samples of a stitched answer are in memory at once, more or less. Default: two million. */
  readonly samplesPerPart?: number
}

/** One stitched answer. */
interface Stitching {
  readonly request: SelectRequest
  /** Oldest first. */
  readonly slices: readonly TierSlice[]
  readonly tiers: readonly Tier[]
  readonly kind: ColumnKind
  readonly dropped: DroppedSeries | null
  readonly symbols: PartSymbols
  readonly warnings: WarningList
}

/** Raw samples are taken to come this often, where only their number is of interest. */
const RAW_STEP_MS = 15_000
/** The head says nothing of series that only sealed blocks have. */
const SERIES_MIN = 1000

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
    const dropped = forced === undefined ? await this.#droppedSeries(request, tiers) : null
    const isRaw = slices.every(({ tier }) => tier.resolutionMs === 0)
    if (isRaw && dropped === null && !(await this.#hasOutputs(request, tiers))) {
      return database.namespace(RAW).select(request)
    }
    return this.#stitch({
      request,
      slices: widened(dropped?.cut(slices) ?? slices, request),
      tiers: forced === undefined ? tiers : slices.map(({ tier }) => tier),
      kind: columnKindOf(request.hints?.function ?? ''),
      dropped,
      symbols: new PartSymbols(),
      warnings: new WarningList(),
    })
  }

  labelNames(request: LabelRequest): Promise<LabelResult> {
    return labelUnion(this.#namespaces(), request, (namespace) => namespace.labelNames(request))
  }

  labelValues(name: string, request: LabelRequest): Promise<LabelResult> {
    return labelUnion(this.#namespaces(), request, (namespace) => namespace.labelValues(name, request))
  }

  series(request: LabelRequest): Promise<SeriesResult> {
    return seriesUnion(this.#namespaces(), request, () => this.#options.clock.yield())
  }

  async #stitch(stitching: Stitching): Promise<SelectResult> {
    const { request, dropped, symbols, warnings } = stitching
    const streamed = dropped === null ? await this.#stream(stitching) : null
    if (streamed !== null) return streamed
    const parts = await this.#partsOf(stitching)
    // One part: what it was made of is known before the first batch, from its samples and not from labels alone.
    const [only] = parts.chunks.length === 1 ? [await this.#read(stitching, parts.chunks[0])] : []
    const served = only?.served ?? parts.served
    served.sort((a, b) => a.startMs - b.startMs || a.resolutionMs - b.resolutionMs)
    return {
      symbols: symbols.texts,
      batches: only ? this.#batches(only.parts, request) : this.#partAfterPart(stitching, parts.chunks),
      warnings: warnings.texts,
      infos: [...infosOf(served, request), ...(dropped?.infos() ?? [])],
      slices: served,
    }
  }

  /** The answer as one namespace streams it; null where it is not that simple. */
  async #stream({ request, slices, tiers, kind, warnings }: Stitching): Promise<SelectResult | null> {
    if (slices.some((slice) => this.#candidates(slice, tiers, request).length > 1)) return null
    const { database } = this.#options
    const { matchers } = request
    const main = longestAggregated(slices)
    if (main < 0) return null
    const reads = slices.map(({ tier: { namespace, resolutionMs }, afterMs, untilMs }) => {
      return { database, namespace, resolutionMs, kind, matchers, afterMs, untilMs, request, warnings }
    })
    const stream = await columnStream({
      reads,
      main,
      sideSamplesPerSeries: samplesPerSeries(slices) - samplesPerSeries([slices[main]]),
      reusesBatches: request.reusesBatches === true,
    })
    if (stream === null) return null
    const served = slices.map((slice) => resolutionSlice(slice.tier, slice, kind))
    return { ...stream, warnings: warnings.texts, infos: infosOf(served, request), slices: served }
  }

  async *#partAfterPart(stitching: Stitching, chunks: readonly SeriesChunk[]) {
    for (const chunk of chunks) {
      const { parts } = await this.#read(stitching, chunk)
      yield* this.#batches(parts, stitching.request)
    }
  }

  /** How the answer is cut; with more than one part, also which tiers have series of which slice, by their labels. */
  async #partsOf({ request, slices, tiers, kind, dropped }: Stitching): Promise<{
    chunks: readonly SeriesChunk[]
    served: ResolutionSlice[]
  }> {
    const { database, samplesPerPart = SAMPLES_PER_PART } = this.#options
    const perSeries = samplesPerSeries(slices) + 1
    const headCounts = this.#namespaces().map((namespace) => namespace.stats().headSeriesCount)
    const everything = { chunks: [{ matchers: [], seriesCount: 0 }], served: [] }
    if (perSeries * Math.max(SERIES_MIN, ...headCounts) <= samplesPerPart) return everything
    const all = new Map<string, Labels>()
    const served: ResolutionSlice[] = []
    for (const slice of slices) {
      const inSlice = new Set<string>()
      for (const tier of this.#candidates(slice, tiers, request, dropped)) {
        const { series } = await database.namespace(tier.namespace).series(rangeOf(request, slice))
        const before = inSlice.size
        for (const labels of series) {
          inSlice.add(labels.key)
          all.set(labels.key, labels)
        }
        if (tier === slice.tier || inSlice.size > before) served.push(resolutionSlice(tier, slice, kind))
      }
    }
    const seriesPerPart = Math.max(1, Math.floor(samplesPerPart / perSeries))
    return { chunks: chunksOf(all.values(), seriesPerPart), served }
  }

  async #read(
    { request: whole, slices, tiers, kind, dropped, symbols, warnings }: Stitching,
    chunk: SeriesChunk,
  ): Promise<{ parts: SeriesParts; served: ResolutionSlice[] }> {
    const matchers = [...whole.matchers, ...chunk.matchers]
    const request = chunk.matchers.length === 0 ? whole : { ...whole, matchers }
    const parts = new SeriesParts(symbols)
    const served: ResolutionSlice[] = []
    const { database } = this.#options
    for (const slice of slices) {
      parts.beginSlice()
      const candidates = this.#candidates(slice, tiers, whole, dropped)
      const read = async (tier: Tier): Promise<TierOutcome> => {
        const { namespace, resolutionMs } = tier
        const mayLack = resolutionMs === 0 && dropped?.concerns(slice) === true
        const outcome = await readTier(
          {
            database,
            namespace,
            resolutionMs,
            kind,
            matchers,
            // What stands in for a finer tier is widened as it would be alone.
            afterMs: slice === slices[0] && tier !== slice.tier ? widenedAfterMs(tier, slice, request) : slice.afterMs,
            untilMs: slice.untilMs,
            request,
            warnings,
            ...(mayLack && { lacks: (key) => dropped.lacks(key, () => parts.textsOf(key), slice) }),
          },
          parts,
        )
        if (outcome.seriesCount > 0 || tier === slice.tier) served.push(resolutionSlice(tier, slice, kind))
        return outcome
      }
      let without: Tier | null = null
      for (const tier of candidates) {
        if (tier !== slice.tier && !(await this.#hasMore(tier, slice, request, parts))) continue
        if ((await read(tier)).leftOut) without ??= tier
      }
      if (without === null) continue
      const raw = tiers.find(({ resolutionMs, heldFromMs }) => resolutionMs === 0 && heldFromMs <= slice.afterMs)
      if (raw && !candidates.includes(raw)) await read(raw)
      if (!raw || dropped?.concerns(slice)) warnings.add(leftOutWarning(without, request))
    }
    return { parts, served }
  }

  /** The selected series that lost raw samples; null when none did. */
  async #droppedSeries(request: SelectRequest, tiers: readonly Tier[]): Promise<DroppedSeries | null> {
    const { matchers, startMs, endMs } = request
    const facts = this.#options.drops?.()
    const dropped = facts ? DroppedSeries.of(facts, tiers, matchers, startMs - 1) : null
    if (dropped === null) return null
    const seen = new Set<string>()
    let hasSome = false
    for (const { namespace } of tiers) {
      const { series } = await this.#options.database.namespace(namespace).series({ matchers, startMs, endMs })
      for (const labels of series) {
        if (seen.has(labels.key)) continue
        seen.add(labels.key)
        if (dropped.note(labels, startMs - 1, endMs - 1)) hasSome = true
      }
    }
    return hasSome ? dropped : null
  }

  async *#batches(parts: SeriesParts, request: SelectRequest) {
    for (const batch of parts.batches(weighsValues(request))) {
      request.signal?.throwIfAborted()
      await this.#options.clock.yield()
      yield batch
    }
  }

  /** The tier of the slice first, then others that may have series which it lacks: finer ones before coarser ones. */
  #candidates(
    slice: TierSlice,
    tiers: readonly Tier[],
    request: SelectRequest,
    dropped: DroppedSeries | null = null,
  ): Tier[] {
    const rules = this.#options.rules()
    const { tier, afterMs } = slice
    const isRaw = tier.resolutionMs === 0
    const hasAll = isRaw ? dropped?.concerns(slice) !== true : rules.mapsAll(request.matchers, tier.namespace, afterMs)
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
    const { series } = await this.#options.database.namespace(tier.namespace).series(rangeOf(request, slice))
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

/** Its place among the slices; -1 when all are raw. */
function longestAggregated(slices: readonly TierSlice[]): number {
  let longest = -1
  slices.forEach((slice, i) => {
    if (slice.tier.resolutionMs === 0) return
    if (longest < 0 || samplesPerSeries([slice]) > samplesPerSeries([slices[longest]])) longest = i
  })
  return longest
}

/** About. */
function samplesPerSeries(slices: readonly TierSlice[]): number {
  let count = 0
  for (const { tier, afterMs, untilMs } of slices) count += (untilMs - afterMs) / (tier.resolutionMs || RAW_STEP_MS)
  return count
}

/** A range or lookback below the resolution reads one whole window back. */
function widened(slices: readonly TierSlice[], request: SelectRequest): TierSlice[] {
  const [first, ...rest] = slices
  return first === undefined ? [] : [{ ...first, afterMs: widenedAfterMs(first.tier, first, request) }, ...rest]
}

function widenedAfterMs({ resolutionMs }: Tier, { afterMs }: TierSlice, request: SelectRequest): number {
  const { rangeMs = resolutionMs } = request.hints ?? {}
  return afterMs - Math.max(0, resolutionMs - rangeMs)
}

function rangeOf({ matchers }: SelectRequest, { afterMs, untilMs }: TierSlice) {
  return { matchers, startMs: afterMs + 1, endMs: Math.min(untilMs, Number.MAX_SAFE_INTEGER - 1) + 1 }
}

function alignedUp(timeMs: number, resolutionMs: number): number {
  return Math.ceil(timeMs / resolutionMs) * resolutionMs
}
