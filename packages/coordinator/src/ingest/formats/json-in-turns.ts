/**
 * JSON of many megabytes, parsed in short turns of the event loop. `JSON.parse` is faster, and takes all the time at once; so
 * small texts go to it, and large ones through a parser that stops for a moment after every so many values.
 *
 * Both give the same values; objects of the slow way have no prototype, so that no key means anything to JavaScript.
 */

/** Below this, `JSON.parse` takes a few milliseconds, whatever stands in the text. */
const AT_ONCE_LENGTH_MAX = 256 << 10
const VALUES_PER_TURN = 20_000
const DEPTH_MAX = 100
/** An empty list is three bytes of text and thirty and more in memory. */
const CONTAINER_COUNT_MAX = 1_000_000
/** Of one object: none of ours has more than a few, and labels are a hundred at most. */
const KEY_COUNT_MAX = 10_000

/** What a body of JSON takes while it is read, as text and as values, in multiples of its size: seen of small objects. */
export const JSON_MEMORY_TIMES = 12

/** @throws {SyntaxError} for text that is not JSON, is nested deeper than 100 or has too many lists, objects or keys. */
export async function parseJsonInTurns(
  text: string,
  pause: () => Promise<void>,
  atOnceLengthMax = AT_ONCE_LENGTH_MAX,
): Promise<unknown> {
  if (text.length <= atOnceLengthMax) return JSON.parse(text)
  const parser = new JsonParser(text)
  while (!parser.run(VALUES_PER_TURN)) await pause()
  return parser.value
}

type Open = { readonly list: unknown[] } | { readonly object: Record<string, unknown>; key: string; count: number }

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const SPACE = /[ \t\n\r]*/y

class JsonParser {
  value: unknown
  readonly #text: string
  readonly #open: Open[] = []
  #at = 0
  #containers = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Reads up to `count` values; true when the text is at its end. */
  run(count: number): boolean {
    for (let left = count; left > 0; left--) {
      const opened = this.#readValue()
      if (opened) continue
      // A value is whole: it may end the lists and objects around it.
      for (;;) {
        const top = this.#open.at(-1)
        if (top === undefined) {
          if (this.#next() !== undefined) throw this.#error('wanted the end')
          return true
        }
        const closing = 'list' in top ? ']' : '}'
        const character = this.#next()
        if (character === ',') {
          this.#at++
          if (!('list' in top)) {
            if (++top.count > KEY_COUNT_MAX) throw this.#error(`more than ${KEY_COUNT_MAX} keys in one object`)
            top.key = this.#readKey()
          }
          break
        }
        if (character !== closing) throw this.#error(`wanted , or ${closing}`)
        this.#at++
        this.#open.pop()
      }
    }
    return false
  }

  /** True when a list or an object was opened that is not empty: its first value comes next. */
  #readValue(): boolean {
    const character = this.#next()
    if (character === '[' || character === '{') {
      if (this.#open.length === DEPTH_MAX) throw this.#error(`nested deeper than ${DEPTH_MAX}`)
      if (++this.#containers > CONTAINER_COUNT_MAX)
        throw this.#error(`more than ${CONTAINER_COUNT_MAX} lists and objects`)
      this.#at++
      const list = character === '['
      const made: unknown = list ? [] : Object.create(null)
      this.#put(made)
      if (this.#next() === (list ? ']' : '}')) {
        this.#at++
        return false
      }
      this.#open.push(
        list
          ? { list: made as unknown[] }
          : { object: made as Record<string, unknown>, key: this.#readKey(), count: 1 },
      )
      return true
    }
    if (character === '"') this.#put(this.#readString())
    else if (this.#text.startsWith('true', this.#at)) this.#putWord(true, 4)
    else if (this.#text.startsWith('false', this.#at)) this.#putWord(false, 5)
    else if (this.#text.startsWith('null', this.#at)) this.#putWord(null, 4)
    else {
      NUMBER.lastIndex = this.#at
      const match = NUMBER.exec(this.#text)
      if (match === null) throw this.#error('wanted a value')
      this.#putWord(Number(match[0]), match[0].length)
    }
    return false
  }

  #putWord(value: unknown, length: number): void {
    this.#at += length
    this.#put(value)
  }

  #put(value: unknown): void {
    const top = this.#open.at(-1)
    if (top === undefined) this.value = value
    else if ('list' in top) top.list.push(value)
    else top.object[top.key] = value
  }

  #readKey(): string {
    if (this.#next() !== '"') throw this.#error('wanted a key in quotes')
    const key = this.#readString()
    if (this.#next() !== ':') throw this.#error('wanted :')
    this.#at++
    return key
  }

  /** The text between quotes is found here, what it means JSON.parse says. */
  #readString(): string {
    const start = this.#at
    let end = start + 1
    for (;;) {
      end = this.#text.indexOf('"', end)
      if (end < 0) throw this.#error('wanted a closing quote')
      let escapes = 0
      while (this.#text[end - 1 - escapes] === '\\') escapes++
      if (escapes % 2 === 0) break
      end++
    }
    this.#at = end + 1
    return JSON.parse(this.#text.slice(start, end + 1)) as string
  }

  /** The next character that is no space; undefined at the end. */
  #next(): string | undefined {
    const code = this.#text.charCodeAt(this.#at)
    if (code <= 32) {
      SPACE.lastIndex = this.#at
      SPACE.exec(this.#text)
      this.#at = SPACE.lastIndex
    }
    return this.#text[this.#at]
  }

  #error(message: string): SyntaxError {
    return new SyntaxError(`${message} at position ${this.#at}`)
  }
}
