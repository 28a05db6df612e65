/** Text of a configuration file to settings, with the place of every mistake. */
import { isCollection, isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from 'yaml'
import { z } from 'zod'
import { CoordinatorError } from '../errors.js'
import { nearest } from './nearest.js'
import { type Config, configSchema } from './schema.js'

/** Settings from flags or the environment: a path into the file, and the value that goes there. */
export interface Override {
  readonly path: readonly string[]
  readonly value: unknown
  /** For messages: `--listen`, `VARVE_LISTEN`. */
  readonly source: string
}

/** The configuration file of the coordinator. @throws as `parseDocumentWith`. */
export function parseConfig(text: string, name: string, overrides: readonly Override[] = []): Config {
  return checkTogether(parseDocumentWith(configSchema, text, name, overrides), name)
}

/**
 * YAML text, checked by a schema.
 *
 * @param name of the file, for messages.
 * @throws {CoordinatorError} `INVALID_CONFIG` with one line a mistake: `file:line:column: key: what is wrong`.
 */
export function parseDocumentWith<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  name: string,
  overrides: readonly Override[] = [],
): z.output<Schema> {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    throw invalid(
      document.errors.map((error) => {
        const { line, col } = lines.linePos(error.pos[0])
        return `${name}:${line}:${col}: ${error.message}`
      }),
    )
  }
  const root: unknown = document.toJS({ maxAliasCount: 100 }) ?? {}
  if (typeof root !== 'object' || Array.isArray(root)) {
    throw invalid([
      `${name}:1:1: expected keys and values such as "server:", got ${JSON.stringify(root)?.slice(0, 60)}`,
    ])
  }
  const sources = new Map<string, string>()
  for (const override of overrides) {
    assign(root as Record<string, unknown>, override)
    sources.set(override.path.join('.'), override.source)
  }
  const result = schema.safeParse(root)
  if (result.success) return result.data
  throw invalid(
    result.error.issues.map((issue) => {
      const keys = issue.code === 'unrecognized_keys' ? issue.keys : []
      const path = [...issue.path.map(String), ...keys.slice(0, 1)]
      const key = path.join('.')
      const source = sources.get(key)
      const message = keys.length > 0 ? `no such setting${meantKey(schema, issue.path, keys[0])}` : messageOf(issue)
      if (source !== undefined) return `${source}: ${message}`
      const { line, column } = placeOf(document.contents as Node | null, path, lines)
      return `${name}:${line}:${column}: ${key}: ${message}`
    }),
  )
}

function messageOf(issue: z.core.$ZodIssue): string {
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
  return isMissing ? 'is missing' : issue.message
}

function meantKey(schema: z.ZodType, path: readonly PropertyKey[], key: string): string {
  let at: unknown = schema
  for (const step of [...path, undefined]) {
    at = unwrapped(at)
    if (step === undefined) break
    if (at instanceof z.ZodObject) at = at.shape[String(step)]
    else at = at instanceof z.ZodArray ? at.element : undefined
  }
  const meant = at instanceof z.ZodObject ? nearest(key, Object.keys(at.shape)) : undefined
  return meant === undefined ? '' : `; did you mean ${meant}?`
}

/** Without the layers for defaults and absence. */
function unwrapped(schema: unknown): unknown {
  let at = schema
  while (at instanceof z.ZodDefault || at instanceof z.ZodPrefault || at instanceof z.ZodOptional) at = at.unwrap()
  return at
}

function checkTogether(config: Config, name: string): Config {
  const problems: string[] = []
  if (config.rules !== undefined && config.etcd.endpoints.length > 0) {
    problems.push(`${name}: rules come from etcd or from ${config.rules}, not from both: remove one`)
  }
  if ((config.etcd.cert_file === undefined) !== (config.etcd.key_file === undefined)) {
    problems.push(`${name}: etcd.cert_file and etcd.key_file belong together`)
  }
  for (const list of [config.remote_read, config.remote_write]) {
    const names = list.map((entry) => entry.name)
    const twice = names.find((entry, i) => names.indexOf(entry) !== i)
    if (twice !== undefined) problems.push(`${name}: the name ${JSON.stringify(twice)} comes twice`)
  }
  if (problems.length > 0) throw invalid(problems)
  return config
}

function assign(root: Record<string, unknown>, { path, value }: Override): void {
  let at = root
  for (const key of path.slice(0, -1)) {
    const next = at[key]
    if (typeof next !== 'object' || next === null) at[key] = {}
    at = at[key] as Record<string, unknown>
  }
  at[path[path.length - 1]] = value
}

/** Where the key stands, or the nearest one above it that does. */
function placeOf(node: Node | null, path: readonly string[], lines: LineCounter): { line: number; column: number } {
  let offset = node?.range?.[0] ?? 0
  for (const key of path) {
    if (!isCollection(node)) break
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === key)
      if (pair === undefined) break
      offset = (pair.key as Node).range?.[0] ?? offset
      node = (pair.value as Node | null) ?? null
    } else {
      node = (node.items[Number(key)] as Node | undefined) ?? null
      offset = node?.range?.[0] ?? offset
    }
  }
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

function invalid(problems: readonly string[]): CoordinatorError {
  return new CoordinatorError('INVALID_CONFIG', problems.join('\n'))
}
