/**
 * Routes by path, then by method. Paths without a variable segment are one map look-up, and win over those with one.
 */
import { CoordinatorError } from '../errors.js'
import type { Route } from './http.js'

export type RouteMatch =
  | { readonly kind: 'found'; readonly route: Route; readonly pathParameters: ReadonlyMap<string, string> }
  | { readonly kind: 'wrong-method'; readonly allowed: readonly string[] }
  | { readonly kind: 'unknown' }

interface Pattern {
  readonly segments: readonly string[]
  readonly routes: Route[]
}

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map()

export class RouteTable {
  readonly #literal = new Map<string, Route[]>()
  readonly #patterns: Pattern[] = []

  constructor(routes: Iterable<Route>) {
    for (const route of routes) this.#add(route)
  }

  match(method: string, path: string): RouteMatch {
    const literal = this.#literal.get(path) ?? this.#literal.get(withoutTrailingSlash(path))
    if (literal !== undefined) return choose(literal, method, NO_PARAMETERS)
    const segments = path.split('/')
    for (const pattern of this.#patterns) {
      const parameters = parametersOf(pattern.segments, segments)
      if (parameters !== null) return choose(pattern.routes, method, parameters)
    }
    return { kind: 'unknown' }
  }

  #add(route: Route): void {
    if (!route.path.includes('/:')) {
      const others = this.#literal.get(route.path) ?? []
      const twice = others.some((other) => other.methods.some((method) => route.methods.includes(method)))
      if (twice)
        throw new CoordinatorError('INVALID_ARGUMENT', `two routes answer ${route.methods.join('/')} ${route.path}`)
      this.#literal.set(route.path, [...others, route])
      return
    }
    const segments = route.path.split('/')
    const known = this.#patterns.find((pattern) => pattern.segments.join('/') === route.path)
    if (known !== undefined) known.routes.push(route)
    else this.#patterns.push({ segments, routes: [route] })
  }
}

function choose(routes: readonly Route[], method: string, pathParameters: ReadonlyMap<string, string>): RouteMatch {
  const route = routes.find((candidate) => candidate.methods.includes(method))
  if (route !== undefined) return { kind: 'found', route, pathParameters }
  return { kind: 'wrong-method', allowed: routes.flatMap((candidate) => candidate.methods) }
}

function parametersOf(pattern: readonly string[], segments: readonly string[]): ReadonlyMap<string, string> | null {
  if (pattern.length !== segments.length) return null
  const parameters = new Map<string, string>()
  for (let i = 0; i < pattern.length; i++) {
    if (!pattern[i].startsWith(':')) {
      if (pattern[i] !== segments[i]) return null
      continue
    }
    const value = decoded(segments[i])
    if (value === null || value === '') return null
    parameters.set(pattern[i].slice(1), value)
  }
  return parameters
}

/** Decoded once: a name that still looks encoded afterwards is that name. */
function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment)
  } catch {
    return null // Not valid UTF-8 behind the percent signs: no route has such a name.
  }
}

function withoutTrailingSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}
