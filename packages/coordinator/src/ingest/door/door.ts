/**
 * What is done to the labels of every series before it is stored, and whether the sender is listened to at all.
 *
 * Both are asked of new series and of the first series of a request: known series pass by their label bytes alone.
 */
import type { Labels } from '@varve/tsdb-core/model'

export interface Door {
  /** The labels under which the series is stored, or null: it is left out, and that is no error. */
  admit(labels: Labels): Labels | null
}

export interface ReplicaGate {
  /**
   * Whether a request whose first series has these labels is stored, or a request of the other replica was elected.
   *
   * Resolves at once in the steady state. @throws {CoordinatorError} `INVALID_ARGUMENT` for too many clusters.
   */
  accepts(labels: Labels): boolean | Promise<boolean>
}
