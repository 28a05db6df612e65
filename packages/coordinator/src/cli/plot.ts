/** Series over time as a plot of dots, for a terminal: each character holds two columns and four rows of them. */
export interface PlotSeries {
  readonly name: string
  readonly samples: readonly (readonly [seconds: number, value: number])[]
}

const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const
const ROWS = 15

/** Lines that are at most `columns` wide; all series share the axes. */
export function plotText(series: readonly PlotSeries[], columns: number): string {
  const all = series.flatMap(({ samples }) => samples).filter(([, value]) => Number.isFinite(value))
  if (all.length === 0) return 'nothing to plot\n'
  let [low, high] = [Infinity, -Infinity]
  let [first, last] = [Infinity, -Infinity]
  for (const [seconds, value] of all) {
    low = Math.min(low, value)
    high = Math.max(high, value)
    first = Math.min(first, seconds)
    last = Math.max(last, seconds)
  }
  if (low === high) [low, high] = [low - 1, high + 1]
  const margin = Math.max(axis(low).length, axis(high).length)
  const width = Math.max(10, Math.min(columns - margin - 3, 120))
  const cells = new Uint8Array(width * ROWS)
  for (const [seconds, value] of all) {
    const x = Math.round(((seconds - first) / Math.max(1e-9, last - first)) * (width * 2 - 1))
    const y = Math.round(((high - value) / (high - low)) * (ROWS * 4 - 1))
    cells[(y >> 2) * width + (x >> 1)] |= DOTS[y & 3][x & 1]
  }
  const lines: string[] = []
  for (let row = 0; row < ROWS; row++) {
    const label = row === 0 ? axis(high) : row === ROWS - 1 ? axis(low) : ''
    const dots = [...cells.subarray(row * width, (row + 1) * width)].map((bits) => String.fromCharCode(0x2800 + bits))
    lines.push(`${label.padStart(margin)} │${dots.join('').replace(/\u2800+$/, '')}`)
  }
  const [start, end] = [clock(first), clock(last)]
  lines.push(`${' '.repeat(margin)} └${'─'.repeat(width)}`)
  lines.push(`${' '.repeat(margin + 2)}${start}${' '.repeat(Math.max(1, width - start.length - end.length))}${end}`)
  return `${lines.join('\n')}\n`
}

function axis(value: number): string {
  return Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-3)
    ? value.toExponential(2)
    : String(Number(value.toPrecision(5)))
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('T', ' ').slice(0, 19)
}
