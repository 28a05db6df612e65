/**
 * Relabelling with Prometheus' rules, before anything is stored or rolled up.
 *
 * Patterns are RE2, match from end to end, and the dot matches newlines. Done once for each new series, never for a sample.
 * Source: Prometheus, model/relabel/relabel.go.
 */
import { createHash } from 'node:crypto'
import { Labels } from '@varve/tsdb-core/model'
import { RE2JS } from 're2js'
import type { Config } from '../../config/schema.js'
import { CoordinatorError } from '../../errors.js'

export type RelabelRule = Config['ingest']['relabel'][number]

/** Labels of a series by name; the empty value is an absent label. */
type Editable = Map<string, string>
type Step = (labels: Editable) => boolean

export class Relabeller {
  readonly #steps: readonly Step[]

  /** @throws {CoordinatorError} `INVALID_CONFIG` naming the rule and what is wrong with it. */
  constructor(rules: readonly RelabelRule[]) {
    this.#steps = rules.map(compileRule)
  }

  /** The labels after all rules, or null when one of them drops the series. */
  apply(labels: Labels): Labels | null {
    const editable: Editable = new Map(labels)
    for (const step of this.#steps) if (!step(editable)) return null
    return Labels.from(editable)
  }
}

/** A step returns false when the series is dropped. */
function compileRule(rule: RelabelRule, index: number): Step {
  const where = `ingest.relabel[${index}] (action ${rule.action})`
  const regex = compilePattern(rule.regex, where)
  const target = rule.target_label ?? ''
  const needsTarget = ['replace', 'hashmod', 'lowercase', 'uppercase', 'keepequal', 'dropequal'].includes(rule.action)
  if (needsTarget && target === '') throw invalid(`${where}: wanted a target_label`)
  const source = (labels: Editable) => rule.source_labels.map((name) => labels.get(name) ?? '').join(rule.separator)
  switch (rule.action) {
    case 'keep':
      return (labels) => regex.matches(source(labels))
    case 'drop':
      return (labels) => !regex.matches(source(labels))
    case 'keepequal':
      return (labels) => (labels.get(target) ?? '') === source(labels)
    case 'dropequal':
      return (labels) => (labels.get(target) ?? '') !== source(labels)
    case 'replace':
      return (labels) => {
        const match = regex.matcher(source(labels))
        if (match.matches()) {
          const name = expand(target, match)
          if (name !== '') set(labels, name, expand(rule.replacement, match))
        }
        return true
      }
    case 'lowercase':
      return (labels) => set(labels, target, source(labels).toLowerCase())
    case 'uppercase':
      return (labels) => set(labels, target, source(labels).toUpperCase())
    case 'hashmod': {
      const modulus = BigInt(rule.modulus ?? 0)
      if (modulus === 0n) throw invalid(`${where}: wanted a modulus of 1 or more`)
      return (labels) => {
        const hash = createHash('md5').update(source(labels)).digest().readBigUInt64BE(8)
        return set(labels, target, String(hash % modulus))
      }
    }
    case 'labelmap':
      return (labels) => {
        for (const [name, value] of [...labels]) {
          const match = regex.matcher(name)
          if (match.matches()) set(labels, expand(rule.replacement, match), value)
        }
        return true
      }
    case 'labeldrop':
      return (labels) => removeNames(labels, (name) => regex.matches(name))
    case 'labelkeep':
      return (labels) => removeNames(labels, (name) => !regex.matches(name))
  }
}

function compilePattern(pattern: string, where: string): RE2JS {
  try {
    return RE2JS.compile(pattern, RE2JS.DOTALL)
  } catch (error) {
    throw invalid(`${where}: regex ${JSON.stringify(pattern)}: ${(error as Error).message}`, error)
  }
}

function set(labels: Editable, name: string, value: string): true {
  if (value === '') labels.delete(name)
  else if (name !== '') labels.set(name, value)
  return true
}

function removeNames(labels: Editable, removes: (name: string) => boolean): true {
  for (const name of [...labels.keys()]) if (removes(name)) labels.delete(name)
  return true
}

/** Go's template: `$1`, `${1}`, `$name`, `${name}`, `$$`. A group that is not there is empty. */
function expand(template: string, match: ReturnType<RE2JS['matcher']>): string {
  return template.replace(
    /\$(?:(\$)|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))/g,
    (_, dollar?: string, braced?: string, bare?: string) => {
      if (dollar !== undefined) return '$'
      const name = (braced ?? bare) as string
      if (/^\d+$/.test(name)) return Number(name) <= match.groupCount() ? (match.group(Number(name)) ?? '') : ''
      try {
        return match.group(name) ?? ''
      } catch {
        return '' // There is no group of that name.
      }
    },
  )
}

function invalid(message: string, cause?: unknown): CoordinatorError {
  return new CoordinatorError('INVALID_CONFIG', message, { cause })
}
