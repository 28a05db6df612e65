/** What a query cost, and where: the plan as a tree with counts, for `stats=all` and `explain`. */
export interface QueryStats {
  /** Samples that the store handed over, each counted once a select. */
  samplesRead: number
  seriesRead: number
  bytesRead: number
  batchesRead: number
  selects: number
  /** The most samples in memory at one time, as limits count them. */
  samplesPeak: number
  prepareMs: number
  evaluateMs: number
  /** The longest stretch without a yield to the event loop. */
  turnMsMax: number
  trace: TraceNode
}

export interface TraceNode {
  /** The operator and what it works on, e.g. `rate(node_cpu_seconds_total{mode!="idle"}[5m])`. */
  readonly name: string
  readonly children: TraceNode[]
  /** Time until the operator's last row, its children included. */
  milliseconds: number
  series: number
  samplesRead: number
  bytesRead: number
  /** Which namespaces and resolutions served a selector. */
  slices?: readonly string[]
}

export function traceNode(name: string): TraceNode {
  return { name, children: [], milliseconds: 0, series: 0, samplesRead: 0, bytesRead: 0 }
}
