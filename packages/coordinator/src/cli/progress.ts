/** How far long work has come: one line that is drawn over on a terminal, a plain line now and then elsewhere. */
import type { Clock } from '@varve/tsdb-core/env'
import type { TextOutput } from './program.js'

const BAR_WIDTH = 24
const REDRAW_MS = 100
const PLAIN_LINE_MS = 10_000

export class Progress {
  readonly #output: TextOutput
  readonly #clock: Clock
  readonly #what: string
  readonly #startedMs: number
  #shownMs: number

  constructor(options: { output: TextOutput; clock: Clock; what: string }) {
    this.#output = options.output
    this.#clock = options.clock
    this.#what = options.what
    this.#startedMs = this.#shownMs = options.clock.monotonicMs()
  }

  /** `total` 0: not known. */
  show(done: number, total: number): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#shownMs < (this.#output.isTerminal ? REDRAW_MS : PLAIN_LINE_MS)) return
    this.#shownMs = nowMs
    const text = this.#text(done, total)
    this.#output.write(this.#output.isTerminal ? `\r\x1b[K${text}` : `${text}\n`)
  }

  end(done: number): void {
    const seconds = (this.#clock.monotonicMs() - this.#startedMs) / 1000
    const text = `${count(done)} ${this.#what} in ${seconds.toFixed(1)} s`
    this.#output.write(this.#output.isTerminal ? `\r\x1b[K${text}\n` : `${text}\n`)
  }

  #text(done: number, total: number): string {
    const rate = done / Math.max(0.001, (this.#clock.monotonicMs() - this.#startedMs) / 1000)
    if (total <= 0) return `${count(done)} ${this.#what}, ${count(Math.round(rate))}/s`
    const part = Math.min(1, done / total)
    const filled = Math.round(part * BAR_WIDTH)
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
    const left = rate > 0 ? `${Math.ceil((total - done) / rate)} s left` : ''
    return `${bar} ${Math.floor(part * 100)} %  ${count(done)} of ${count(total)} ${this.#what}  ${left}`
  }
}

function count(number: number): string {
  return number.toLocaleString('en-US')
}
