/**
 * A series' identity: label names and values, sorted by name, names unique, values not empty.
 *
 * Labels are kept as one flat array of strings and never become keys of a plain object: `__proto__` is a legal label.
 * Order is that of UTF-8 bytes, as Prometheus has it, not that of UTF-16 code units.
 */
import { StorageError } from '../errors.js'
import { describeValue } from '../option-names.js'
import { compareUtf8 } from './utf8.js'

export const METRIC_NAME = '__name__'

export type LabelPairs = Iterable<readonly [name: string, value: string]>

export class Labels {
  /** Without any label. A getter, since the compiler's output would use the class in its own static field too early. */
  static get EMPTY(): Labels {
    return NO_LABELS
  }

  /** Name, value, name, value …, sorted by name. Not to be changed. */
  readonly flat: readonly string[]
  #key: string | undefined

  private constructor(flat: readonly string[]) {
    this.flat = flat
  }

  /** Takes over `flat`, which must be sorted, unique and without empty values: this is not checked. */
  static fromSorted(flat: readonly string[]): Labels {
    return new Labels(flat)
  }

  /**
   * Sorts the pairs and leaves out empty values, which mean an absent label.
   *
   * @throws {StorageError} `INVALID_ARGUMENT` for a name that comes twice, and for what is no text.
   */
  static from(pairs: LabelPairs | Readonly<Record<string, string>>): Labels {
    if (typeof pairs !== 'object' || pairs === null) {
      throw new StorageError(
        'INVALID_ARGUMENT',
        `labels: got ${describeValue(pairs)}, wanted an object of names and values`,
      )
    }
    const entries = Symbol.iterator in pairs ? [...(pairs as LabelPairs)] : Object.entries(pairs)
    for (const entry of entries) checkPair(entry)
    const kept = entries.filter(([, value]) => value !== '').sort((a, b) => compareUtf8(a[0], b[0]))
    const flat: string[] = []
    for (const [name, value] of kept) {
      if (flat.length > 0 && flat[flat.length - 2] === name) {
        throw new StorageError('INVALID_ARGUMENT', `label name ${JSON.stringify(name)} comes twice in one series`)
      }
      flat.push(name, value)
    }
    return new Labels(flat)
  }

  get size(): number {
    return this.flat.length / 2
  }

  /** The label's value; an absent label is the empty string, as in PromQL. */
  get(name: string): string {
    const flat = this.flat
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1]
    return ''
  }

  get metricName(): string {
    return this.get(METRIC_NAME)
  }

  /** Equal for equal labels and different for different ones: a key for a `Map`. */
  get key(): string {
    // Lengths stand before the text, so that no label text can imitate a separator.
    return (this.#key ??= this.flat.map((text) => `${text.length}:${text}`).join(''))
  }

  *[Symbol.iterator](): Iterator<readonly [name: string, value: string]> {
    for (let i = 0; i < this.flat.length; i += 2) yield [this.flat[i], this.flat[i + 1]]
  }

  equals(other: Labels): boolean {
    const a = this.flat
    const b = other.flat
    if (a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
    return true
  }

  /** A copy with `value` for `name`; the empty value removes the label. */
  with(name: string, value: string): Labels {
    const pairs = [...this].filter(([other]) => other !== name)
    pairs.push([name, value])
    return Labels.from(pairs)
  }

  /** A copy with only these names. */
  keep(names: ReadonlySet<string>): Labels {
    return this.#filtered((name) => names.has(name))
  }

  /** A copy without these names. */
  drop(names: ReadonlySet<string>): Labels {
    return this.#filtered((name) => !names.has(name))
  }

  #filtered(keeps: (name: string) => boolean): Labels {
    const flat: string[] = []
    for (let i = 0; i < this.flat.length; i += 2) if (keeps(this.flat[i])) flat.push(this.flat[i], this.flat[i + 1])
    return new Labels(flat)
  }

  /** `name{label="value", …}`, as Prometheus prints a series. */
  toString(): string {
    const name = this.metricName
    const rest = [...this].filter(([label]) => label !== METRIC_NAME)
    if (rest.length === 0 && name !== '') return name
    return `${name}{${rest.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(', ')}}`
  }
}

function checkPair(pair: readonly [name: string, value: string]): void {
  if (!Array.isArray(pair)) {
    throw new StorageError('INVALID_ARGUMENT', `labels: got ${describeValue(pair)}, wanted a pair of name and value`)
  }
  const [name, value] = pair
  if (typeof name !== 'string') {
    throw new StorageError('INVALID_ARGUMENT', `label name: got ${describeValue(name)}, wanted a string`)
  }
  if (typeof value !== 'string') {
    throw new StorageError(
      'INVALID_ARGUMENT',
      `label ${JSON.stringify(name)}: got ${describeValue(value)}, wanted a string`,
    )
  }
}

const NO_LABELS = Labels.fromSorted([])

/** Order of series in results: pair by pair, by UTF-8 bytes, the shorter set first. */
export function compareLabels(a: Labels, b: Labels): number {
  const shared = Math.min(a.flat.length, b.flat.length)
  for (let i = 0; i < shared; i++) {
    if (a.flat[i] !== b.flat[i]) return compareUtf8(a.flat[i], b.flat[i])
  }
  return a.flat.length - b.flat.length
}
