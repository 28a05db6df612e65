/** Frames between simulated nodes: in order on each connection, late by a drawn time, cut off by a crash or a partition. */
import type { Connection, Network } from '../network.js'
import type { EventSchedule } from './event-schedule.js'

const DELAY_MS_MAX = 3
const ARRIVALS_APART_MS = 0.001

export class SimulatedNetwork {
  readonly #simulation: EventSchedule
  readonly #listeners = new Map<string, (connection: Connection) => void>()
  #ends: SimulatedEnd[] = []
  #isCut = false

  constructor(simulation: EventSchedule) {
    this.#simulation = simulation
  }

  /** Until it is healed nothing connects, and what is connected ends. */
  cut(): void {
    this.#isCut = true
    for (const end of this.#ends.splice(0)) end.end()
  }

  heal(): void {
    this.#isCut = false
  }

  dropAll(): void {
    for (const end of this.#ends.splice(0)) end.end()
    this.#listeners.clear()
  }

  ofNode(): Network {
    const simulation = this.#simulation
    const draw = () => (simulation.random.below(1000) / 1000) * DELAY_MS_MAX
    return {
      dial: (address) =>
        new Promise((resolve, reject) => {
          simulation.at(draw(), () => {
            const accept = this.#listeners.get(address)
            if (accept === undefined || this.#isCut) {
              reject(new Error(`cannot reach ${address}: nobody listens`))
              return
            }
            const here = new SimulatedEnd(simulation, draw)
            const there = new SimulatedEnd(simulation, draw)
            here.connect(there)
            this.#ends.push(here, there)
            accept(there)
            resolve(here)
          })
        }),
      listen: (address, accept) => {
        if (this.#listeners.has(address)) return Promise.reject(new Error(`${address} is in use`))
        this.#listeners.set(address, accept)
        return Promise.resolve({
          close: async () => {
            this.#listeners.delete(address)
          },
        })
      },
    }
  }
}

class SimulatedEnd implements Connection {
  readonly #simulation: EventSchedule
  readonly #draw: () => number
  #peer: SimulatedEnd | undefined
  #lastArrivalMs = 0
  readonly #queue: Uint8Array[] = []
  #ended = false
  #wake: (() => void) | undefined

  constructor(simulation: EventSchedule, draw: () => number) {
    this.#simulation = simulation
    this.#draw = draw
  }

  connect(peer: SimulatedEnd): void {
    this.#peer = peer
    peer.#peer = this
  }

  send(frame: Uint8Array): Promise<void> {
    const peer = this.#peer!
    if (this.#ended) return Promise.reject(new Error('the connection has ended'))
    const copy = frame.slice()
    // No frame overtakes the one before it.
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs + ARRIVALS_APART_MS, this.#simulation.nowMs + this.#draw())
    return new Promise((resolve) => {
      this.#simulation.at(this.#lastArrivalMs - this.#simulation.nowMs, () => {
        if (!peer.#ended) peer.#queue.push(copy)
        peer.#notify()
        resolve()
      })
    })
  }

  async *frames(): AsyncIterable<Uint8Array> {
    for (;;) {
      const frame = this.#queue.shift()
      if (frame !== undefined) yield frame
      else if (this.#ended) return
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }

  close(): void {
    this.end()
    this.#peer?.end()
  }

  end(): void {
    this.#ended = true
    this.#notify()
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
