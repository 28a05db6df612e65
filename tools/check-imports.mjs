// Holds the code to the architecture (docs: ARCHITECTURE.md): packages import downwards only, files never in circles, and
// only the folders that implement Env on Node touch the platform.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize, relative } from 'node:path'

/** Each package with what it may import of ours. */
const MAY_IMPORT = {
  native: [],
  'packages/gorilla-codec': ['@varve/native'],
  'packages/tsdb-core': ['@varve/gorilla-codec', '@varve/native'],
  'packages/promql': ['@varve/native', '@varve/tsdb-core/model', '@varve/tsdb-core/query'],
  'packages/aggregator': ['@varve/tsdb-core', '@varve/promql', '@varve/native'],
  'packages/coordinator': [
    '@varve/aggregator',
    '@varve/promql',
    '@varve/tsdb-core',
    '@varve/gorilla-codec',
    '@varve/native',
  ],
  simulation: ['@varve/'],
  benchmarks: ['@varve/'],
  'end-to-end': ['@varve/'],
}
/** Inside tsdb-core: these folders know no I/O and nothing above them. */
const FOLDER_MAY_IMPORT = {
  'packages/tsdb-core/src/model': ['model'],
  'packages/tsdb-core/src/query': ['model', 'query'],
  'packages/tsdb-core/src/env': ['env'],
}
const PLATFORM_MODULES =
  /^(node:)?(fs|fs\/promises|net|http|https|http2|dgram|tls|dns|timers|timers\/promises|worker_threads|child_process|os|cluster)$/
const PLATFORM_CALLS = [
  [/\bDate\.now\s*\(/, 'Date.now()'],
  [/\bnew Date\s*\(\s*\)/, 'new Date()'],
  [/\bperformance\.now\s*\(/, 'performance.now()'],
  [/\b(setTimeout|setInterval|setImmediate|queueMicrotask)\s*\(/, 'a global timer'],
  [/\bprocess\.(nextTick|hrtime)\b/, 'process time'],
  [/\bMath\.random\b/, 'Math.random'],
  [/\brandom(Bytes|UUID|Int)\s*\(/, 'crypto randomness'],
]
/** Where the platform is implemented or is the subject: an `env/node` folder, tests, tools around the product. */
const PLATFORM_ALLOWED =
  /(\/env\/node\/|\.test\.ts$|\.test\.program\.ts$|\.conformance\.ts$|\/testing\/|^benchmarks\/|^simulation\/|^end-to-end\/|^native\/|\.e2e\.ts$)/

export function checkImports(root) {
  const problems = []
  const graph = new Map()
  for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
    const built = builtBefore(root, folder)
    for (const path of sourcesUnder(join(root, folder, 'src'))) {
      const file = relative(root, path)
      const text = withoutComments(readFileSync(path, 'utf8'))
      const targets = []
      for (const { specifier, line } of importsOf(text)) {
        if (specifier.startsWith('.')) {
          const target = normalize(join(dirname(file), specifier.replace(/\.js$/, '.ts')))
          targets.push(target)
          problems.push(...folderProblems(file, target, line))
          if (!target.startsWith(`${folder}/src/`)) {
            problems.push(`${file}:${line}: imports ${specifier}: another package is imported by its name`)
          }
        } else if (specifier.startsWith('@varve/') && !built.has(specifier.split('/')[1])) {
          problems.push(
            `${file}:${line}: imports ${specifier}, which ${folder}/tsconfig.json has no reference to: a clean build fails`,
          )
        } else if (specifier.startsWith('@varve/') && !/\.(test|conformance|test\.program)\.ts$/.test(file)) {
          if (
            !allowed.some((name) => specifier === name || specifier.startsWith(name.endsWith('/') ? name : `${name}/`))
          ) {
            problems.push(`${file}:${line}: ${folder} may not import ${specifier}`)
          }
        } else if (PLATFORM_MODULES.test(specifier) && !PLATFORM_ALLOWED.test(file)) {
          problems.push(`${file}:${line}: imports ${specifier}: the platform comes in through Env`)
        }
      }
      graph.set(file, targets)
      if (!PLATFORM_ALLOWED.test(file)) problems.push(...platformCalls(file, text))
    }
  }
  return [...problems, ...circles(graph)]
}

/** The packages that are built before this one: its references, theirs, and itself. */
function builtBefore(root, folder) {
  const built = new Set([basename(folder)])
  const { references } = JSON.parse(readFileSync(join(root, folder, 'tsconfig.json'), 'utf8'))
  for (const { path } of references) {
    for (const name of builtBefore(root, join(folder, path))) built.add(name)
  }
  return built
}

function folderProblems(file, target, line) {
  for (const [folder, allowed] of Object.entries(FOLDER_MAY_IMPORT)) {
    if (!file.startsWith(`${folder}/`) || !target.startsWith('packages/tsdb-core/src/')) continue
    const into = target.slice('packages/tsdb-core/src/'.length)
    if (into.includes('/') && !allowed.includes(into.split('/')[0])) {
      return [`${file}:${line}: ${folder} may not import ${into}`]
    }
  }
  return []
}

function platformCalls(file, text) {
  const problems = []
  text.split('\n').forEach((code, index) => {
    for (const [pattern, name] of PLATFORM_CALLS) {
      if (pattern.test(code)) problems.push(`${file}:${index + 1}: calls ${name}: the platform comes in through Env`)
    }
  })
  return problems
}

function* importsOf(text) {
  const pattern = /(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"\n]+)['"]/g
  for (const match of text.matchAll(pattern)) {
    yield { specifier: match[1], line: text.slice(0, match.index).split('\n').length }
  }
}

/** Blanks comments out and keeps the line numbers. */
function withoutComments(text) {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|[^:'"`])\/\/[^\n]*/g, (comment, before) => before + ' '.repeat(comment.length - before.length))
}

function* sourcesUnder(folder) {
  let entries
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch {
    return // A package without sources yet has nothing to check.
  }
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (entry.name !== 'generated') yield* sourcesUnder(path)
    } else if (entry.name.endsWith('.ts')) yield path
  }
}

function circles(graph) {
  const problems = []
  const state = new Map()
  const visit = (file, trail) => {
    if (state.get(file) === 'done' || !graph.has(file)) return
    const at = trail.indexOf(file)
    if (at >= 0) {
      problems.push(`circle: ${[...trail.slice(at), file].join(' → ')}`)
      return
    }
    for (const target of graph.get(file)) visit(target, [...trail, file])
    state.set(file, 'done')
  }
  for (const file of graph.keys()) visit(file, [])
  return problems
}
