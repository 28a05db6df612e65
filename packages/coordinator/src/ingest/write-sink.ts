import type { Namespace } from '@varve/tsdb-core'
import type { Labels } from '@varve/tsdb-core/model'

/** What the write path needs of a namespace. */
export type WriteSink = Pick<Namespace, 'resolve' | 'append' | 'labelsOf'>

/** The times that are stored now: whoever reads that a sample is too old wants to know how old one may be. */
export interface TimeBounds {
  readonly oldestMs: number
  readonly newestMs: number
}

/** Why the store refused a sample, in Prometheus' words, which operators search for. */
export const REJECTION_TEXT = {
  TOO_OLD: 'too old sample: older than the retention',
  TOO_FAR_AHEAD: 'out of bounds: too far ahead of the clock',
  DUPLICATE: 'duplicate sample for timestamp: another value is stored',
  UNKNOWN_SERIES: 'the series was deleted while its sample was written',
} as const

/** `up{} at 2024-01-01T00:00:00.000Z, allowed from 2024-01-07T00:00:00.000Z`. */
export function refusedText(
  labels: Labels | undefined,
  timestampMs: number,
  reason: keyof typeof REJECTION_TEXT,
  bounds: TimeBounds | undefined,
): string {
  const text = `${labels ?? 'a series that was deleted'} at ${timeText(timestampMs)}`
  if (bounds === undefined) return text
  if (reason === 'TOO_OLD') return `${text}, allowed from ${timeText(bounds.oldestMs)}`
  return reason === 'TOO_FAR_AHEAD' ? `${text}, allowed up to ${timeText(bounds.newestMs)}` : text
}

function timeText(timestampMs: number): string {
  const date = new Date(timestampMs)
  return Number.isNaN(date.getTime()) ? `${timestampMs} ms` : date.toISOString()
}
