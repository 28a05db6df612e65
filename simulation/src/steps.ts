/** What happens in the life of a database: as a script, or drawn. */
import type { SeededRandom } from '@varve/tsdb-core/env/simulated'
import { FLEET } from './fleet.js'

const MINUTE = 60_000
export const BLOCK_SIZE_MS = 2 * MINUTE
export const RETENTION_MS = 20 * MINUTE

/** `extra` is a namespace that comes and goes while the others stay; see `ExtraNamespace`. */
export type Step =
  | { readonly kind: 'append'; readonly series: readonly number[]; readonly ageMs: number; readonly count: number }
  | { readonly kind: 'rollUp' }
  | { readonly kind: 'maintain' }
  | { readonly kind: 'flush' }
  | { readonly kind: 'snapshot' }
  /** Puts the last snapshot in place of the data. */
  | { readonly kind: 'restore' }
  | { readonly kind: 'delete'; readonly code: string; readonly fromAgeMs: number; readonly toAgeMs: number }
  | { readonly kind: 'createExtra' }
  | { readonly kind: 'changeExtra'; readonly retentionMs: number }
  | { readonly kind: 'appendExtra'; readonly series: readonly number[]; readonly count: number }
  | { readonly kind: 'deleteExtra' }
  | { readonly kind: 'wait'; readonly forMs: number }
  | { readonly kind: 'jump'; readonly byMs: number }
  /** The wall clock jumps to so far ahead of the true time; 0 puts it right. */
  | { readonly kind: 'setClock'; readonly aheadMs: number }
  | { readonly kind: 'reopen' }

/** Of the namespace `extra`: one of these. */
export const EXTRA_RETENTIONS_MS = [2 * RETENTION_MS, 3 * RETENTION_MS] as const

/** Once through everything that a store does on its own. */
export const SCRIPT: readonly Step[] = [
  { kind: 'append', series: [0, 1, 2, 5], ageMs: 0, count: 3 },
  { kind: 'append', series: [0, 3], ageMs: 4 * MINUTE, count: 4 },
  { kind: 'rollUp' },
  { kind: 'wait', forMs: 3 * MINUTE },
  { kind: 'maintain' },
  { kind: 'append', series: [1, 4, 5], ageMs: 0, count: 2 },
  { kind: 'append', series: [0, 2], ageMs: 5 * MINUTE, count: 3 },
  { kind: 'flush' },
  { kind: 'delete', code: '500', fromAgeMs: 10 * MINUTE, toAgeMs: 0 },
  { kind: 'rollUp' },
  { kind: 'snapshot' },
  { kind: 'append', series: [2], ageMs: MINUTE, count: 2 },
  { kind: 'flush' },
  { kind: 'reopen' },
  { kind: 'append', series: [0, 1, 2, 3, 4], ageMs: 0, count: 2 },
  { kind: 'wait', forMs: RETENTION_MS },
  { kind: 'maintain' },
  { kind: 'append', series: [0, 2], ageMs: 0, count: 2 },
  { kind: 'maintain' },
]

/** Namespaces come, change and go, and the data goes back to a snapshot. */
export const SCRIPT_OF_CHANGES: readonly Step[] = [
  { kind: 'createExtra' },
  { kind: 'append', series: [0, 5], ageMs: 0, count: 3 },
  { kind: 'appendExtra', series: [0, 5], count: 2 },
  { kind: 'rollUp' },
  { kind: 'changeExtra', retentionMs: EXTRA_RETENTIONS_MS[1] },
  { kind: 'snapshot' },
  { kind: 'append', series: [1, 5], ageMs: MINUTE, count: 2 },
  { kind: 'rollUp' },
  { kind: 'appendExtra', series: [1], count: 2 },
  { kind: 'flush' },
  { kind: 'deleteExtra' },
  { kind: 'restore' },
  { kind: 'append', series: [2, 5], ageMs: 0, count: 2 },
  { kind: 'deleteExtra' },
  { kind: 'createExtra' },
  { kind: 'appendExtra', series: [0], count: 1 },
]

/** A step that a life may come to. */
export function drawStep(random: SeededRandom): Step {
  const kinds = [
    'snapshot',
    'append',
    'append',
    'append',
    'append',
    'append',
    'rollUp',
    'maintain',
    'flush',
    'delete',
    'createExtra',
    'changeExtra',
    'appendExtra',
    'deleteExtra',
    'wait',
    'setClock',
    'reopen',
    'restore',
  ] as const
  const kind = random.pick(kinds)
  const someSeries = () => FLEET.map((_, index) => index).filter(() => random.chance(0.5))
  switch (kind) {
    case 'append': {
      const series = someSeries()
      const ageMs = random.pick([0, 0, 0, MINUTE, 5 * MINUTE, 12 * MINUTE])
      return { kind, series, ageMs, count: 1 + random.below(4) }
    }
    case 'appendExtra':
      return { kind, series: someSeries(), count: 1 + random.below(3) }
    case 'changeExtra':
      return { kind, retentionMs: random.pick(EXTRA_RETENTIONS_MS) }
    case 'delete': {
      const fromAgeMs = random.below(15 * MINUTE)
      return { kind, code: random.pick(['200', '500']), fromAgeMs, toAgeMs: random.below(fromAgeMs + 1) }
    }
    case 'wait':
      return { kind, forMs: random.pick([1_000, MINUTE, 5 * MINUTE]) }
    case 'setClock':
      return { kind, aheadMs: random.pick([0, 0, 0, 0, -1, 1, -60, 60, 1440, 5_000_000]) * MINUTE }
    default:
      return { kind }
  }
}
