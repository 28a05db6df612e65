/**
 * What senders tell of their metric families: type, help and unit, the last of each kept, bounded, served by the API.
 *
 * It is advice for people and dashboards, never a condition for storing samples: what does not fit is counted and left out.
 */
import { pack, unpack } from 'msgpackr'

export type MetricType =
  | 'unknown'
  | 'counter'
  | 'gauge'
  | 'histogram'
  | 'gaugehistogram'
  | 'summary'
  | 'info'
  | 'stateset'

/** By their numbers in both versions of remote write. */
export const METRIC_TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
]

export interface MetricMetadata {
  readonly type: MetricType
  readonly help: string
  readonly unit: string
}

export interface MetadataOptions {
  /** Families; a new one above it is left out. Default 20,000. */
  readonly familyCountMax?: number
  /** Different metadata of one family; the oldest goes. Default 10, as Cortex has it. */
  readonly entriesPerFamilyMax?: number
  /** Characters of a help text that are kept. Default `METADATA_HELP_SIZE_MAX`. */
  readonly helpSizeMax?: number
}

/** Characters of a help text that are kept where nothing else is said. */
export const METADATA_HELP_SIZE_MAX = 1024

const FORMAT_VERSION = 1

export class MetadataStore {
  readonly #families = new Map<string, MetricMetadata[]>()
  readonly #familyCountMax: number
  readonly #entriesPerFamilyMax: number
  readonly #helpSizeMax: number
  /** Entries that were left out: there were too many families, or they were too large. */
  refusedCount = 0
  /** Rises with each change: what was saved at the same number needs no saving. */
  revision = 0

  constructor(options: MetadataOptions = {}) {
    this.#familyCountMax = options.familyCountMax ?? 20_000
    this.#entriesPerFamilyMax = options.entriesPerFamilyMax ?? 10
    this.#helpSizeMax = options.helpSizeMax ?? METADATA_HELP_SIZE_MAX
  }

  get familyCount(): number {
    return this.#families.size
  }

  /** Keeps what is new. The latest entry of a family stands last. */
  record(family: string, metadata: MetricMetadata): void {
    if (family === '') return
    const help = metadata.help.slice(0, this.#helpSizeMax)
    const unit = metadata.unit.slice(0, 128)
    const entries = this.#families.get(family)
    if (entries === undefined) {
      if (this.#families.size >= this.#familyCountMax || family.length > 1024) {
        this.refusedCount++
        return
      }
      this.#families.set(family, [{ type: metadata.type, help, unit }])
      this.revision++
      return
    }
    const at = entries.findIndex((entry) => entry.type === metadata.type && entry.help === help && entry.unit === unit)
    if (at === entries.length - 1) return
    const [entry] = at >= 0 ? entries.splice(at, 1) : [{ type: metadata.type, help, unit }]
    entries.push(entry)
    if (entries.length > this.#entriesPerFamilyMax) entries.shift()
    this.revision++
  }

  /** All that is known of one family, the latest first. */
  of(family: string): readonly MetricMetadata[] {
    return [...(this.#families.get(family) ?? [])].reverse()
  }

  /** Families in no particular order, each with its entries, the latest first. */
  *[Symbol.iterator](): Iterator<readonly [family: string, entries: readonly MetricMetadata[]]> {
    for (const [family, entries] of this.#families) yield [family, [...entries].reverse()]
  }

  /** The whole store as bytes, for a file: msgpack of `{ version, families }`. */
  encode(): Uint8Array {
    const families = [...this.#families].map(([family, entries]) => [
      family,
      entries.map(({ type, help, unit }) => [type, help, unit]),
    ])
    return pack({ version: FORMAT_VERSION, families })
  }

  /**
   * Takes in what `encode` gave, besides what is already known.
   *
   * Returns how many families it held, or -1 for bytes of another version or none of ours: metadata is then gathered anew.
   */
  load(bytes: Uint8Array): number {
    let document: unknown
    try {
      document = unpack(bytes)
    } catch {
      return -1 // Any damage has the same consequence, which the caller reports.
    }
    const { version, families } = (document ?? {}) as { version?: unknown; families?: unknown }
    if (version !== FORMAT_VERSION || !Array.isArray(families)) return -1
    let count = 0
    for (const item of families) {
      if (!Array.isArray(item) || typeof item[0] !== 'string' || !Array.isArray(item[1])) return -1
      for (const entry of item[1]) {
        const [type, help, unit] = Array.isArray(entry) ? entry : []
        if (!METRIC_TYPES.includes(type) || typeof help !== 'string' || typeof unit !== 'string') return -1
        this.record(item[0], { type, help, unit })
      }
      count++
    }
    return count
  }
}
