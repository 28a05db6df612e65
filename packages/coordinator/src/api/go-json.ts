/**
 * Numbers, times and histograms as Prometheus writes them in JSON, so that clients which compare text see no difference.
 *
 * Source: Prometheus, util/jsonutil. Values are strings in Go's shortest form: exponents below 1e-6 and from 1e21 on, with
 * at least two digits. JavaScript's own text differs in infinities, -0 and one-digit exponents only.
 */
import { forEachBucket } from '@varve/promql'
import type { Histogram } from '@varve/tsdb-core/model'

/** `''`, `.001`, `.002` … `.999` without zeros at the end. */
const THOUSANDTHS = Array.from({ length: 1000 }, (_, i) => `.${String(i).padStart(3, '0')}`.replace(/\.?0+$/, ''))

/** A sample value without quotes. */
export function goNumber(value: number): string {
  if (Number.isInteger(value) && value < 1e21 && value > -1e21)
    return value === 0 && 1 / value < 0 ? '-0' : String(value)
  const magnitude = value < 0 ? -value : value
  if (magnitude < 1e9 && magnitude >= 1e-3) {
    // No two decimals of 15 digits are the same double, so a value that is some thousandths has no shorter text than they.
    const thousandths = Math.round(magnitude * 1000)
    if (thousandths / 1000 === magnitude) {
      const whole = Math.trunc(magnitude)
      const text = whole + THOUSANDTHS[thousandths - whole * 1000]
      return value < 0 ? `-${text}` : text
    }
    return String(value)
  }
  if (Number.isNaN(value)) return 'NaN'
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  const text = String(value)
  const exponent = text.indexOf('e-')
  return exponent >= 0 && text.length === exponent + 3 ? `${text.slice(0, exponent)}e-0${text[exponent + 2]}` : text
}

/** Milliseconds as seconds, with three digits after the point when there is a rest. */
export function goTimestamp(timeMs: number): string {
  const negative = timeMs < 0
  const magnitude = negative ? -timeMs : timeMs
  const rest = magnitude % 1000
  const seconds = (magnitude - rest) / 1000
  const text = rest === 0 ? String(seconds) : `${seconds}.${String(rest).padStart(3, '0')}`
  return negative ? `-${text}` : text
}

/** `["__name__","up",…]` pairs as an object. Written by hand, since labels are never keys of our objects. */
export function labelsJson(labels: Iterable<readonly [string, string]>): string {
  let text = '{'
  for (const [name, value] of labels)
    text += `${text.length > 1 ? ',' : ''}${JSON.stringify(name)}:${JSON.stringify(value)}`
  return `${text}}`
}

export function histogramJson(histogram: Histogram): string {
  let buckets = ''
  forEachBucket(histogram, ({ lower, upper, lowerInclusive, upperInclusive, count }) => {
    if (count === 0) return true
    const rule = lowerInclusive ? (upperInclusive ? 3 : 1) : upperInclusive ? 0 : 2
    const bounds = `"${goNumber(lower)}","${goNumber(upper)}"`
    buckets += `${buckets === '' ? '' : ','}[${rule},${bounds},"${goNumber(count)}"]`
    return true
  })
  const counts = `"count":"${goNumber(histogram.count)}","sum":"${goNumber(histogram.sum)}"`
  return buckets === '' ? `{${counts}}` : `{${counts},"buckets":[${buckets}]}`
}
