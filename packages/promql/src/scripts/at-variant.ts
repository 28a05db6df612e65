/** The same query, pinned to a time with `@`: it must then answer the same at any evaluation time. */
import { childrenOf, type Expression, type TimeShift } from '../ast.js'
import { formatFloatFixed } from '../parser/go-text.js'
import { parseExpression } from '../parser/parser.js'
import { Source } from '../parser/source.js'

/** Functions whose value depends on the evaluation time itself. */
const TIME_FUNCTIONS: ReadonlySet<string> = new Set([
  'days_in_month',
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'end',
  'hour',
  'minute',
  'month',
  'predict_linear',
  'range',
  'start',
  'step',
  'time',
  'timestamp',
  'year',
])

interface Edit {
  readonly from: number
  readonly to: number
  readonly text: string
}

/** The query with `@` on every selector and outermost subquery; undefined if it cannot be pinned. */
export function pinnedQuery(query: string, timeMs: number): string | undefined {
  let expression: Expression
  try {
    expression = parseExpression(query)
  } catch {
    return undefined // The error is what the script asks for.
  }
  if (dependsOnTime(expression)) return undefined
  const at = `@ ${formatFloatFixed(timeMs / 1000, 3).replace(/\.?0+$/, '')}`
  const units = unitOffsets(query)
  const edits: Edit[] = []
  collect(expression)
  let out = query
  for (const { from, to, text } of edits.sort((a, b) => b.from - a.from))
    out = out.slice(0, from) + text + out.slice(to)
  return out

  function collect(node: Expression): void {
    if (node.type === 'vectorSelector' || node.type === 'subquery') pin(node, node)
    else if (node.type === 'matrixSelector') pin(node, node.selector)
    else for (const child of childrenOf(node)) collect(child)
  }

  function pin(node: Expression, shift: TimeShift): void {
    const start = units(node.position.start)
    const end = units(node.position.end)
    if (shift.atBoundary) {
      const written = [...query.slice(start, end).matchAll(/@\s*(?:start|end)\s*\(\s*\)/gi)].at(-1)!
      edits.push({ from: start + written.index, to: start + written.index + written[0].length, text: at })
    } else if (shift.atMs === undefined) {
      edits.push({ from: end, to: end, text: ` ${at}` })
    }
  }
}

function dependsOnTime(node: Expression): boolean {
  if (node.type === 'call' && TIME_FUNCTIONS.has(node.function.name)) return true
  return childrenOf(node).some(dependsOnTime)
}

/** From byte offsets back to UTF-16 units. */
function unitOffsets(query: string): (byte: number) => number {
  const source = new Source(query)
  return (byte) => {
    let unit = Math.min(byte, query.length)
    while (unit > 0 && source.byteAt(unit) > byte) unit--
    return unit
  }
}
