import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { nativeStatus } from './index.js'
import { INTERFACE_VERSION } from './interface.js'
import { QUERY_FOLDS, QUERY_FUNCTIONS } from './query.js'

const binding = new URL('../binding/src/', import.meta.url)
const read = (file: string) => readFileSync(new URL(file, binding), 'utf8')

test('Rust and TypeScript name the same version', () => {
  expect(read('lib.rs')).toContain(`const INTERFACE_VERSION: u32 = ${INTERFACE_VERSION};`)
})

const { source } = nativeStatus()

test.skipIf(source === undefined)('the binary says it', () => {
  const { interfaceVersion } = createRequire(import.meta.url)(source as string)
  expect(interfaceVersion()).toBe(INTERFACE_VERSION)
})

/** The names and types of all exported functions and objects, as Rust has them, without comments and layout. */
function exported(): string[] {
  const declarations: string[] = []
  for (const file of readdirSync(binding).sort()) {
    const text = read(file).replace(/\/\/.*/g, '')
    for (const [, attribute, rest] of text.matchAll(
      /#\[napi(\([^\n]*\))?\]\s((?:#\[[^\n]*\]\s)*pub (?:fn|struct)[^{]*)/g,
    )) {
      declarations.push(`${attribute ?? ''} ${rest}`.replace(/\s+/g, ' ').trim())
    }
  }
  return declarations
}

test('no name, parameter or number of a function changes without a new version', () => {
  const declarations = exported()
  expect(declarations.join('\n')).toMatch(/pub fn fold_series\( function: u32,.*\) -> Result<\(\)>\n/)
  expect(declarations.length).toBeGreaterThan(20)
  const numbers = JSON.stringify([QUERY_FUNCTIONS, QUERY_FOLDS])
  const digest = createHash('sha256')
    .update([...declarations, numbers].join('\n'))
    .digest('hex')
    .slice(0, 16)
  // Has it changed? Then an older binary no longer fits: raise INTERFACE_VERSION in both languages, and note the new digest.
  expect({ version: INTERFACE_VERSION, digest }).toEqual({ version: 8, digest: '0503d52df4190ad7' })
})
