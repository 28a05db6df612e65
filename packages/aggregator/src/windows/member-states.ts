/** What is remembered of members between two windows: the last sample of each, as columns. */
import { extended } from './columns.js'
import type { SeriesState } from './series-scan.js'

export class MemberStates {
  /** Time of the last value; `-Infinity`: there is none, `NaN`: unknown. */
  valuesMs: Float64Array<ArrayBuffer> = new Float64Array(64).fill(Number.NaN)
  values: Float64Array<ArrayBuffer> = new Float64Array(64)
  /** Time of the last staleness marker. */
  markersMs: Float64Array<ArrayBuffer> = new Float64Array(64)

  /** Makes room for so many members. */
  reserve(count: number): void {
    if (count <= this.valuesMs.length) return
    const length = Math.max(this.valuesMs.length * 2, count)
    const valuesMs = new Float64Array(length).fill(Number.NaN)
    valuesMs.set(this.valuesMs)
    this.valuesMs = valuesMs
    this.values = extended(this.values, length)
    this.markersMs = extended(this.markersMs, length)
  }

  /** Reads a member's state; false: it is unknown. */
  read(member: number, state: SeriesState): boolean {
    if (!this.knows(member)) return false
    state.valueMs = this.valuesMs[member]
    state.value = this.values[member]
    state.markerMs = this.markersMs[member]
    return true
  }

  knows(member: number): boolean {
    return member < this.valuesMs.length && !Number.isNaN(this.valuesMs[member])
  }

  write(member: number, state: SeriesState): void {
    this.reserve(member + 1)
    this.valuesMs[member] = state.valueMs
    this.values[member] = state.value
    this.markersMs[member] = state.markerMs
  }

  /** False: there was nothing to forget. */
  forget(member: number): boolean {
    if (member < 0 || member >= this.valuesMs.length) return false
    this.valuesMs[member] = Number.NaN
    return true
  }

  clear(): void {
    this.valuesMs.fill(Number.NaN)
  }
}
