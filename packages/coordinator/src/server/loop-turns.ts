/** The longest that each kind of work held the event loop at a stretch, since somebody asked: whose turn was it that was late? */
export const LOOP_STAGES = ['write', 'query', 'warm_up'] as const

export type LoopStage = (typeof LOOP_STAGES)[number]

export class LoopTurns {
  readonly #longestMs = new Map<LoopStage, number>()

  note(stage: LoopStage, tookMs: number): void {
    if (tookMs > (this.#longestMs.get(stage) ?? 0)) this.#longestMs.set(stage, tookMs)
  }

  /** Of each stage, 0 where it did nothing, and begins anew. */
  take(): Record<LoopStage, number> {
    const longest = { write: 0, query: 0, warm_up: 0, ...Object.fromEntries(this.#longestMs) }
    this.#longestMs.clear()
    return longest
  }
}
