/**
 * What a store must hold, as a plain map: the judge of every scenario.
 *
 * A sample that was acknowledged *must* be there. One that was sent and not yet answered *may* be there, as may one whose
 * delete was not yet answered, or that is older than the retention. Everything else must be *absent*. After a recovery
 * that was checked, what was found must stay, and what was not found must not come back.
 */
export type Presence = 'must' | 'may' | 'absent'

export interface ModelSample {
  readonly series: string
  readonly timestampMs: number
  readonly bits: bigint
}

export interface FoundSample {
  readonly timestampMs: number
  readonly bits: bigint
}

interface Entry {
  readonly bits: bigint
  presence: Presence
}

export class SampleModel {
  readonly #series = new Map<string, Map<number, Entry>>()
  acknowledgedCount = 0
  checkedCount = 0

  /** As it is now. */
  clone(): SampleModel {
    const copy = new SampleModel()
    for (const [name, entries] of this.#series) {
      copy.#series.set(name, new Map([...entries].map(([timestampMs, entry]) => [timestampMs, { ...entry }])))
    }
    return copy
  }

  submit(samples: readonly ModelSample[]): void {
    for (const { series, timestampMs, bits } of samples) {
      let entries = this.#series.get(series)
      if (entries === undefined) this.#series.set(series, (entries = new Map()))
      const entry = entries.get(timestampMs)
      if (entry === undefined) entries.set(timestampMs, { bits, presence: 'may' })
      else if (entry.bits !== bits) throw new Error('a scenario gives each sample one value only')
      else if (entry.presence === 'absent') entry.presence = 'may'
    }
  }

  /** The store answered: all but the refused ones are stored. A refused one stays what it was, but for its answer. */
  acknowledge(samples: readonly ModelSample[], isRefused: (index: number) => boolean = () => false): void {
    samples.forEach(({ series, timestampMs }, index) => {
      if (isRefused(index)) return
      this.#series.get(series)!.get(timestampMs)!.presence = 'must'
      this.acknowledgedCount++
    })
  }

  delete(series: (name: string) => boolean, startMs: number, endMs: number, presence: 'may' | 'absent'): void {
    for (const [name, entries] of this.#series) {
      if (!series(name)) continue
      for (const [timestampMs, entry] of entries) {
        if (timestampMs < startMs || timestampMs >= endMs) continue
        if (presence === 'absent' || entry.presence === 'must') entry.presence = presence
      }
    }
  }

  /** From now on a store may have dropped what is older. */
  expireBefore(timeMs: number): void {
    this.delete(() => true, Number.NEGATIVE_INFINITY, timeMs, 'may')
  }

  /** Everything that is wrong with an answer to "all samples of all series"; empty when nothing is. */
  check(found: ReadonlyMap<string, readonly FoundSample[]>): string[] {
    const problems: string[] = []
    for (const [name, samples] of found) {
      const entries = this.#series.get(name)
      samples.forEach(({ timestampMs, bits }, i) => {
        const what = `${name} at ${timestampMs}`
        if (i > 0 && samples[i - 1].timestampMs >= timestampMs) problems.push(`${what}: out of order, or twice`)
        const entry = entries?.get(timestampMs)
        if (entry === undefined) problems.push(`${what}: was never written`)
        else if (entry.presence === 'absent') problems.push(`${what}: came back after it was gone`)
        else if (entry.bits !== bits) problems.push(`${what}: bits ${hex(bits)}, written were ${hex(entry.bits)}`)
      })
    }
    for (const [name, entries] of this.#series) {
      const times = new Set(found.get(name)?.map(({ timestampMs }) => timestampMs))
      for (const [timestampMs, { presence }] of entries) {
        this.checkedCount++
        if (presence === 'must' && !times.has(timestampMs)) {
          problems.push(`${name} at ${timestampMs}: was acknowledged, and is lost`)
        }
      }
    }
    return problems
  }

  /** After a recovery: what is there is durable, what is not must stay away. */
  settle(found: ReadonlyMap<string, readonly FoundSample[]>): void {
    for (const [name, entries] of this.#series) {
      const times = new Set(found.get(name)?.map(({ timestampMs }) => timestampMs))
      for (const [timestampMs, entry] of entries) entry.presence = times.has(timestampMs) ? 'must' : 'absent'
    }
  }

  /** Series with a sample that must be there, sorted. */
  seriesThatMustBe(): string[] {
    const names: string[] = []
    for (const [name, entries] of this.#series) {
      for (const { presence } of entries.values()) {
        if (presence === 'must') {
          names.push(name)
          break
        }
      }
    }
    return names.sort()
  }
}

function hex(bits: bigint): string {
  return `0x${bits.toString(16).padStart(16, '0')}`
}
