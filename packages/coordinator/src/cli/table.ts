/** Text in columns, for people. Control characters are shown, not sent to the terminal. */
import { safeText } from '../logging/pino-logger.js'

export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map(safeText))
  const widths = head.map((_, column) => Math.max(...all.map((row) => [...row[column]].length)))
  return all
    .map((row) => {
      const cells = row.map((cell, column) => cell + ' '.repeat(widths[column] - [...cell].length))
      return `${cells.join('  ').trimEnd()}\n`
    })
    .join('')
}
