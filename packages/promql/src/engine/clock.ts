/** What the engine needs of a clock; tsdb-core's `Clock` has it all. */
export interface EngineClock {
  /** Milliseconds since some fixed moment. It never falls. */
  monotonicMs(): number
  /** Lets the event loop turn once. */
  yield(): Promise<void>
  /** How long a query may hold the loop now before it yields. Default 8 ms. */
  turnMs?(): number
}
