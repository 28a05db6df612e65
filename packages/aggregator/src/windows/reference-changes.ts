/**
 * Whether references of series, gathered over several turns of the event loop, still stand for them.
 *
 * A reference ends when its series leaves the head, and that of a series of sealed blocks when it comes back to the head.
 */
import type { Namespace } from '@varve/tsdb-core'
import type { Labels } from '@varve/tsdb-core/model'

export class ReferenceChanges {
  readonly #created: Uint32Array[] = []
  readonly #evicted: Uint32Array[] = []

  /** New in the head since the gathering began. */
  seriesCreated(seriesRefs: Uint32Array): void {
    this.#created.push(seriesRefs.slice())
  }

  seriesEvicted(seriesRefs: Uint32Array): void {
    this.#evicted.push(seriesRefs.slice())
  }

  /** Whether one of these has another reference now. */
  concern(raw: Namespace, gathered: ReadonlyMap<number, Labels>): boolean {
    if (this.#evicted.some((refs) => refs.some((ref) => gathered.has(ref)))) return true
    if (this.#created.length === 0) return false
    const cold = new Set<string>()
    for (const [ref, labels] of gathered) if (raw.isColdRef(ref)) cold.add(labels.key)
    if (cold.size === 0) return false
    return this.#created.some((refs) =>
      refs.some((ref) => {
        const labels = raw.labelsOf(ref)
        return labels === undefined || cold.has(labels.key)
      }),
    )
  }
}
