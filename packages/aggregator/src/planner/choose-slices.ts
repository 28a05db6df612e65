/**
 * Which namespace serves which part of a query's range (DESIGN D8).
 *
 *     oldest ──────────────────────────────────────────────────────────▶ newest
 *     │ 1h, since nothing finer is left │ 1m, which suffices │ raw, not rolled up yet │
 *
 * Slices meet where windows of both sides end, so that no sample is missing and none stands twice. Where several namespaces
 * suffice, the coarsest is taken; where none does, the finest that is left.
 */

/** A namespace as the planner sees it. */
export interface Tier {
  readonly namespace: string
  /** 0: raw samples. */
  readonly resolutionMs: number
  /** It holds all samples in `(heldFromMs, heldUntilMs]`. */
  readonly heldFromMs: number
  readonly heldUntilMs: number
}

/** Samples with timestamps in `(afterMs, untilMs]` come from the tier. */
export interface TierSlice {
  readonly tier: Tier
  readonly afterMs: number
  readonly untilMs: number
}

export interface SliceRequest {
  readonly afterMs: number
  readonly untilMs: number
  readonly stepMs: number
  readonly rangeMs: number
  readonly evaluationStartMs: number
  readonly evaluationEndMs: number
  /** An instant selector: `rangeMs` is the lookback. */
  readonly isInstant: boolean
  readonly resolutionMsMax: number
}

/**
 * A query over no more than this is answered from raw samples as long as they are there: it is cheap, and its answers are
 * then Prometheus' own, extrapolation included.
 */
export const RAW_SPAN_MS = 86_400_000
/** A range that does not begin and end with windows is off by one window at most: it must be this much longer. */
const UNALIGNED_WINDOWS_MIN = 10

/** The slices, oldest first; empty when no tier holds anything of the range. */
export function chooseSlices(tiers: readonly Tier[], request: SliceRequest): TierSlice[] {
  const allowed = tiers
    .filter((tier) => tier.resolutionMs <= request.resolutionMsMax)
    .sort((a, b) => a.resolutionMs - b.resolutionMs)
  const { afterMs, untilMs } = request
  const raw = allowed.find((tier) => tier.resolutionMs === 0)
  const spanMs = request.evaluationEndMs - request.evaluationStartMs + request.rangeMs
  if (raw && raw.heldFromMs <= afterMs && spanMs <= RAW_SPAN_MS) return [{ tier: raw, afterMs, untilMs }]
  const slices: TierSlice[] = []
  for (let atMs = afterMs; atMs < untilMs; ) {
    const tier = tierAfter(allowed, atMs, request)
    const nextMs = tier === null ? nextStart(allowed, atMs) : endOf(tier, allowed, atMs, request)
    if (tier !== null) slices.push({ tier, afterMs: atMs, untilMs: Math.min(nextMs, untilMs) })
    if (nextMs <= atMs) break
    atMs = nextMs
  }
  return merged(slices)
}

/** Whether the query's answer is as good from windows of this length. */
export function suffices(resolutionMs: number, request: SliceRequest): boolean {
  if (resolutionMs === 0) return true
  const { rangeMs, stepMs, evaluationStartMs, isInstant } = request
  if (resolutionMs > rangeMs) return false
  const isAligned = evaluationStartMs % resolutionMs === 0 && stepMs % resolutionMs === 0
  if (isInstant) return isAligned && stepMs > 0
  if (isAligned && rangeMs % resolutionMs === 0) return true
  return resolutionMs * UNALIGNED_WINDOWS_MIN <= rangeMs
}

/** The tier for the samples right after `atMs`. */
function tierAfter(tiers: readonly Tier[], atMs: number, request: SliceRequest): Tier | null {
  const holding = tiers.filter((tier) => holdsAfter(tier, atMs))
  const sufficing = holding.filter((tier) => suffices(tier.resolutionMs, request))
  return sufficing.at(-1) ?? holding[0] ?? null
}

/** Its next window begins at `atMs`, or right after, and is held. */
function holdsAfter(tier: Tier, atMs: number): boolean {
  return tier.heldFromMs <= atMs && tier.heldUntilMs > atMs + tier.resolutionMs - 1
}

/** Where another tier takes over: this one ends there, or a better one begins. */
function endOf(tier: Tier, tiers: readonly Tier[], atMs: number, request: SliceRequest): number {
  let endMs = tier.heldUntilMs
  for (const other of tiers) {
    if (other === tier || other.heldFromMs <= atMs || other.heldUntilMs <= other.heldFromMs) continue
    const beginMs = alignedUp(other.heldFromMs, Math.max(tier.resolutionMs, other.resolutionMs))
    if (beginMs <= atMs || beginMs >= endMs) continue
    if (tierAfter(tiers, beginMs, request) === other) endMs = beginMs
  }
  // A tier ends with a window; what follows it begins there.
  return tier.resolutionMs === 0 || endMs === Infinity
    ? endMs
    : Math.floor(endMs / tier.resolutionMs) * tier.resolutionMs
}

function nextStart(tiers: readonly Tier[], atMs: number): number {
  let nextMs = Infinity
  for (const tier of tiers) {
    const beginMs = alignedUp(Math.max(tier.heldFromMs, atMs + 1), Math.max(1, tier.resolutionMs))
    if (beginMs < tier.heldUntilMs) nextMs = Math.min(nextMs, beginMs)
  }
  return nextMs
}

function alignedUp(timeMs: number, resolutionMs: number): number {
  return resolutionMs === 0 ? timeMs : Math.ceil(timeMs / resolutionMs) * resolutionMs
}

function merged(slices: readonly TierSlice[]): TierSlice[] {
  const out: TierSlice[] = []
  for (const slice of slices) {
    const last = out.at(-1)
    if (last && last.tier === slice.tier && last.untilMs === slice.afterMs)
      out[out.length - 1] = { ...last, untilMs: slice.untilMs }
    else out.push(slice)
  }
  return out
}
