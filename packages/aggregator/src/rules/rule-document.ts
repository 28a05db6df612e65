/**
 * Rule documents, as people write them: one schema a kind (DESIGN section 6, docs/rules.md).
 *
 * The JSON Schema in docs/ is made from these, and says what they say. What spans several fields is checked in
 * `rule-reader.ts`.
 */
import { z } from 'zod'
import { messageOf } from '../errors.js'
import { parseDuration } from './duration.js'
import type { RuleKind } from './rule.js'
import { parseSelectorText } from './selector.js'
import { parseStoragePolicy } from './storage-policy.js'

export const AGGREGATE_COLUMNS = ['last', 'min', 'max', 'sum', 'count', 'increase'] as const
const EACH = ['last', 'min', 'max', 'sum', 'avg', 'count', 'increase', 'rate', 'all'] as const
const METRIC_TYPES = ['counter', 'gauge', 'histogram'] as const
export const RULE_NAME_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}$/

const description = z.string().max(4096).optional().describe('For people. Shown by `varve rules get`.')
const selector = z
  .string()
  .min(1)
  .superRefine((text, context) => {
    try {
      parseSelectorText(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error) })
    }
  })
  .describe('A PromQL selector of the series that the rule is about, for example {job="node"}. No range, offset or @.')
const labelName = z.string().min(1).max(1024)

const policies = z
  .array(
    z.string().superRefine((text, context) => {
      const policy = parseStoragePolicy(text)
      if (typeof policy === 'string') context.addIssue({ code: 'custom', message: policy })
    }),
  )
  .min(1)
  .max(16)
  .describe('Storage policies, RESOLUTION:RETENTION: 1m:90d is kept in the namespace 1m_90d. Retention may be forever.')

const time = z
  .union([z.string(), z.number()])
  .superRefine((value, context) => {
    if (parseTime(value) === null) {
      const message = `${JSON.stringify(value)} is not a time: wanted RFC 3339 (2026-01-31T00:00:00Z) or Unix seconds`
      context.addIssue({ code: 'custom', message })
    }
  })
  .describe('A time: RFC 3339, or seconds since the Unix epoch.')
const from = time
  .optional()
  .describe('Windows that end after this time. A time in the past applies the rule to stored samples.')
const until = time.optional().describe('Windows that end at or before this time.')

const duration = z.string().superRefine((text, context) => {
  if (parseDuration(text) === null) {
    context.addIssue({
      code: 'custom',
      message: `${JSON.stringify(text)} is not a duration such as 30s, 2h, 15d or forever`,
    })
  }
})

const aggregation = z
  .string()
  .regex(/^(sum|min|max|avg|count|last|stddev|median|p[0-9]{1,6}|quantile\((0(\.[0-9]+)?|1(\.0+)?)\))$/, {
    message: 'wanted sum, min, max, avg, count, last, stddev, median, p50, p99, p999 or quantile(0.75)',
  })
  .describe('What is made of the series of a group. p99 is quantile(0.99), p999 is quantile(0.999).')

export const mappingDocument = z
  .strictObject({
    description,
    match: selector,
    policies,
    aggregations: z
      .array(z.enum(['default', ...AGGREGATE_COLUMNS]))
      .min(1)
      .optional()
      .describe('Columns to keep for each window. default: last, min, max, sum, count, and increase for counters.'),
    type: z.enum(METRIC_TYPES).optional().describe("Default: from the sender's metadata, else from the metric's name."),
    from,
    until,
  })
  .describe('Keeps the same series at other storage policies.')

export const rollupDocument = z
  .strictObject({
    description,
    match: selector.optional().describe('A PromQL selector of the input series. May be left out if `input` is given.'),
    input: z
      .string()
      .regex(RULE_NAME_PATTERN)
      .optional()
      .describe('A rollup rule whose outputs are read instead of raw samples.'),
    name: z
      .string()
      .min(1)
      .max(1024)
      .describe("The outputs' metric name. {metric} stands for the input's name, {aggregate} for the aggregation."),
    by: z.array(labelName).optional().describe('Labels to keep. A label that a series lacks counts as empty.'),
    without: z.array(labelName).optional().describe('Labels to leave out; all others are kept.'),
    aggregate: z.union([aggregation, z.array(aggregation).min(1).max(32)]),
    each: z
      .enum(EACH)
      .optional()
      .describe(
        'What each series contributes to a window. Default: increase for counters (last for count and last); for gauges min for min, max for max, else last.',
      ),
    absolute: z.boolean().optional().describe('Take the absolute value of what each series contributes.'),
    labels: z.record(labelName, z.string()).optional().describe('Labels that every output gets.'),
    type: z
      .enum(METRIC_TYPES)
      .optional()
      .describe("Default: from the sender's metadata, else from the metric's name. A sum of counters is a counter."),
    policies,
    from,
    until,
  })
  .describe('Makes new series out of many.')

export const dropDocument = z
  .strictObject({
    description,
    match: selector,
    force: z.boolean().optional().describe('Drop also what no mapping or rollup rule keeps in another form.'),
    from,
    until,
  })
  .describe('Raw samples are not kept beyond the windows that need them.')

export const namespaceDocument = z
  .strictObject({
    description,
    retention: duration.optional(),
    blockSize: duration.optional().describe('Time that one block file covers. Fixed once the namespace is there.'),
  })
  .describe('Options of a namespace; its name is the key.')

export const ruleDocuments = {
  mapping: mappingDocument,
  rollup: rollupDocument,
  drop: dropDocument,
  namespace: namespaceDocument,
} as const satisfies Record<RuleKind, z.ZodType>

/** Milliseconds since the epoch, or null when it is no time. */
export function parseTime(value: string | number): number | null {
  const ms = typeof value === 'number' ? value * 1000 : isRfc3339(value) ? Date.parse(value) : NaN
  return Number.isFinite(ms) && ms >= 0 && ms < 8.64e15 ? Math.round(ms) : null
}

function isRfc3339(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/.test(text)
}
