/** Floats as OpenMetrics' text format has them in labels: always with a dot or an exponent. */
import { formatG } from '../engine/go-format.js'

export function formatOpenMetrics(value: number): string {
  if (value === 1) return '1.0'
  if (value === 0) return '0.0'
  if (value === -1) return '-1.0'
  if (!Number.isFinite(value)) return formatG(value)
  const text = formatG(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}
