/**
 * A storage policy: the resolution to keep, and for how long. Written `1m:90d`; its namespace is `1m_90d`.
 *
 * The namespace keeps the spelling of the policy, so that a person finds it: `60s:90d` is another namespace than `1m:90d`.
 */
import { parseDuration } from './duration.js'

export interface StoragePolicy {
  /** As it was written. */
  readonly text: string
  readonly resolutionMs: number
  /** `Infinity` for `forever`. */
  readonly retentionMs: number
  readonly namespace: string
}

export const RESOLUTION_MS_MIN = 1000
export const RESOLUTION_MS_MAX = 86_400_000

/** The policy, or a sentence that says what is wrong with the text. */
export function parseStoragePolicy(text: string): StoragePolicy | string {
  const [resolution, retention, more] = text.split(':')
  if (retention === undefined || more !== undefined) {
    return `storage policy ${JSON.stringify(text)} is not of the form RESOLUTION:RETENTION, as in "1m:90d"`
  }
  const resolutionMs = parseDuration(resolution)
  if (resolutionMs === null || resolutionMs === Infinity) {
    return `resolution ${JSON.stringify(resolution)} of ${JSON.stringify(text)} is not a duration such as 10s, 1m or 1h`
  }
  if (resolutionMs < RESOLUTION_MS_MIN || resolutionMs > RESOLUTION_MS_MAX || resolutionMs % 1000 !== 0) {
    return `resolution ${JSON.stringify(resolution)} of ${JSON.stringify(text)} is not a whole number of seconds from 1s to 1d`
  }
  const retentionMs = parseDuration(retention)
  if (retentionMs === null) {
    return `retention ${JSON.stringify(retention)} of ${JSON.stringify(text)} is not a duration such as 40h, 90d, 2y or forever`
  }
  if (retentionMs < resolutionMs) return `retention of ${JSON.stringify(text)} is shorter than its resolution`
  return { text, resolutionMs, retentionMs, namespace: `${resolution}_${retention}` }
}

/** The policy whose namespace has this name, or null: `default` and others are not ours. */
export function policyOfNamespace(name: string): StoragePolicy | null {
  const policy = parseStoragePolicy(name.replace('_', ':'))
  return typeof policy === 'string' ? null : policy
}

/** Windows are left-open and aligned to the Unix epoch: the end of the window `(end - resolution, end]` that holds a time. */
export function windowEndOf(timestampMs: number, resolutionMs: number): number {
  return Math.ceil(timestampMs / resolutionMs) * resolutionMs
}
