/** The symbol table of one result: text of the labels of its series, each once, whichever source they come from. */
import type { SampleSource } from './sample-source.js'

/** Below this many series a hash map a source is cheaper than a table as long as the source's symbols. */
const FEW_SERIES = 64

export class SymbolCollector {
  readonly symbols: string[] = []
  readonly #sources: readonly SampleSource[]
  readonly #ids = new Map<string, number>()
  readonly #tables: (Uint32Array | Map<number, number>)[]

  constructor(sources: readonly SampleSource[], seriesCount: number) {
    this.#sources = sources
    this.#tables = sources.map((source) =>
      seriesCount < FEW_SERIES ? new Map<number, number>() : new Uint32Array(source.symbolCount),
    )
  }

  /** Turns `[from, to)` of a column of a source's symbols into ids of the result, in place. */
  map(source: number, column: Uint32Array, from: number, to: number): void {
    const table = this.#tables[source]
    if (table instanceof Map) {
      for (let i = from; i < to; i++) column[i] = this.idOf(source, column[i])
      return
    }
    for (let i = from; i < to; i++) {
      // Beyond the table there is nothing, which is no id either.
      const known = table[column[i]]
      column[i] = known > 0 ? known - 1 : this.idOf(source, column[i])
    }
  }

  /** The result's id of a source's symbol. */
  idOf(source: number, symbol: number): number {
    const table = this.#tables[source]
    if (table instanceof Map) {
      const known = table.get(symbol)
      if (known !== undefined) return known
      const id = this.#add(this.#sources[source].symbolText(symbol))
      table.set(symbol, id)
      return id
    }
    // A symbol beyond the table was made after the query began; it is looked up by its text each time.
    if (symbol >= table.length) return this.#add(this.#sources[source].symbolText(symbol))
    const known = table[symbol]
    if (known !== 0) return known - 1
    const id = this.#add(this.#sources[source].symbolText(symbol))
    table[symbol] = id + 1
    return id
  }

  #add(text: string): number {
    if (this.#sources.length === 1) return this.symbols.push(text) - 1
    const known = this.#ids.get(text)
    if (known !== undefined) return known
    const id = this.symbols.length
    this.#ids.set(text, id)
    this.symbols.push(text)
    return id
  }
}
