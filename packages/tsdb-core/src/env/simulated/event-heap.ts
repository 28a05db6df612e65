/** What will happen, soonest first; of equal times the one with the smaller drawn number. */
export interface SimulatedEvent {
  readonly timeMs: number
  readonly tieBreak: number
  readonly incarnation: number
  readonly happen: () => void
  cancelled: boolean
}

export class EventHeap {
  readonly #events: SimulatedEvent[] = []

  get size(): number {
    return this.#events.length
  }

  push(event: SimulatedEvent): void {
    const events = this.#events
    let at = events.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, events[parent])) break
      events[at] = events[parent]
      at = parent
    }
    events[at] = event
  }

  pop(): SimulatedEvent | undefined {
    const events = this.#events
    const first = events[0]
    const last = events.pop()
    if (last === undefined || events.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= events.length) break
      if (child + 1 < events.length && isBefore(events[child + 1], events[child])) child++
      if (!isBefore(events[child], last)) break
      events[at] = events[child]
      at = child
    }
    events[at] = last
    return first
  }
}

function isBefore(a: SimulatedEvent, b: SimulatedEvent): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.tieBreak < b.tieBreak)
}
