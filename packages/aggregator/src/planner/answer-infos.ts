/** What an answer says of itself: which namespace served which slice, and what had to be widened or left out. */
import type { ResolutionSlice, SelectRequest } from '@varve/tsdb-core/query'
import { formatDuration } from '../rules/duration.js'
import type { Tier, TierSlice } from './choose-slices.js'
import type { ColumnKind } from './column-kind.js'

/** Each warning once; those that come while batches are read too. */
export class WarningList {
  readonly texts: string[] = []

  add(warning: string): void {
    if (!this.texts.includes(warning)) this.texts.push(warning)
  }
}

export function resolutionSlice(tier: Tier, slice: TierSlice, kind: ColumnKind): ResolutionSlice {
  const { namespace, resolutionMs } = tier
  return { startMs: slice.afterMs + 1, endMs: slice.untilMs + 1, namespace, resolutionMs, column: kind }
}

export function infosOf(served: readonly ResolutionSlice[], request: SelectRequest): string[] {
  const infos: string[] = []
  // What is read for the same time is named together: a rolled-up series may be looked for in raw samples too.
  const named = new Map<string, string[]>()
  for (const { startMs, endMs, namespace, resolutionMs } of served) {
    const what = resolutionMs === 0 ? 'raw samples' : `resolution ${formatDuration(resolutionMs)} (${namespace})`
    const when = `from ${timeText(startMs)} to ${timeText(endMs - 1)}`
    named.set(when, [...(named.get(when) ?? []), what])
  }
  const texts = [...named].map(([when, what]) => `${what.join(' and ')} ${when}`)
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

export function leftOutWarning({ namespace }: Tier, { hints }: SelectRequest): string {
  return `PromQL warning: namespace ${namespace} keeps last, count and increase of native histograms, and ${hints?.function ?? ''} leaves them out: max_resolution=0 asks the raw samples, as long as they are kept`
}
