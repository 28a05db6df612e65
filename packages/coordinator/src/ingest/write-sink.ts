import type { Namespace } from '@varve/tsdb-core'

/** What the write path needs of a namespace. */
export type WriteSink = Pick<Namespace, 'resolve' | 'append' | 'labelsOf'>

/** Why the store refused a sample, in Prometheus' words, which operators search for. */
export const REJECTION_TEXT = {
  TOO_OLD: 'too old sample: older than the retention',
  TOO_FAR_AHEAD: 'out of bounds: too far ahead of the clock',
  DUPLICATE: 'duplicate sample for timestamp: another value is stored',
  UNKNOWN_SERIES: 'the series was deleted while its sample was written',
} as const
