import fc from 'fast-check'
import { RE2JS } from 're2js'
import { describe, expect, test } from 'vitest'
import { StorageError } from '../errors.js'
import type { MatchOperator } from '../model/matcher.js'
import { compileMatcher, PATTERN_LENGTH_MAX } from './label-matcher.js'

const compile = (operator: MatchOperator, value: string) => compileMatcher({ name: 'a', operator, value })

describe('equality', () => {
  test('passes the value alone', () => {
    const equal = compile('=', 'x')
    expect([equal.matches('x'), equal.matches('X'), equal.matches('')]).toEqual([true, false, false])
    expect(equal).toMatchObject({ literals: ['x'], negated: false, matchesEmpty: false, prefix: 'x' })
  })

  test('an absent label is the empty value', () => {
    expect(compile('=', '').matchesEmpty).toBe(true)
    expect(compile('!=', '').matchesEmpty).toBe(false)
    expect(compile('!=', 'x').matchesEmpty).toBe(true)
  })
})

describe('patterns', () => {
  test('are anchored at both ends, and the dot matches a newline', () => {
    const pattern = compile('=~', 'a.b')
    expect(['a\nb', 'a😀b', 'ab', 'xa\nb', 'a\nbx'].map((value) => pattern.matches(value))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
    expect(compile('=~', 'a.*').matches('a\nb')).toBe(true)
  })

  test('answer the same when they are compiled anew and when they were kept', () => {
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 40; i++) {
        const pattern = compile('=~', `a[${i % 10}]{2}b${i}`)
        expect([pattern.matches(`a${i % 10}${i % 10}b${i}`), pattern.matches(`a${i % 10}b${i}`)]).toEqual([true, false])
      }
      expect(() => compile('=~', 'a[')).toThrow(StorageError)
    }
  })

  test('alternations of texts list their values', () => {
    expect(compile('=~', 'a|b|a').literals).toEqual(['a', 'b'])
    expect(compile('=~', '(a|b)').literals).toEqual(['a', 'b'])
    expect(compile('=~', '(?:a|b|)').literals).toEqual(['a', 'b', ''])
    expect(compile('=~', '^10\\.0\\.0\\.1$').literals).toEqual(['10.0.0.1'])
    expect(compile('=~', 'api-1|api-2')).toMatchObject({ prefix: 'api-' })
    expect(compile('!~', 'a|b')).toMatchObject({ literals: ['a', 'b'], negated: true, matchesEmpty: true })
  })

  test('others say what their matches start with', () => {
    expect(compile('=~', 'api-.*').prefix).toBe('api-')
    expect(compile('=~', 'api-[0-9]+').prefix).toBe('api-')
    expect(compile('=~', 'apis?').prefix).toBe('api')
    expect(compile('=~', 'x😀?y').prefix).toBe('x')
    expect(compile('=~', 'a[x]|b').prefix).toBe('')
    expect(compile('=~', '(?i)abc').prefix).toBe('')
    expect(compile('=~', 'api-.*').literals).toBeUndefined()
  })

  test.each([
    ['[', 'error parsing regexp: missing closing ]: `[`'],
    ['(', 'error parsing regexp: missing closing ): `(`'],
    ['a**', 'error parsing regexp: invalid nested repetition operator: `**`'],
    ['a.**', 'error parsing regexp: invalid nested repetition operator: `**`'],
    ['*', 'error parsing regexp: missing argument to repetition operator: `*`'],
    ['(?=a)', 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`'],
    ['a{1001}', 'error parsing regexp: invalid repeat count: `{1001}`'],
  ])('%s is refused in the words of Go', (pattern, message) => {
    const error = catchError(() => compile('=~', pattern))
    expect(error).toBeInstanceOf(StorageError)
    expect((error as StorageError).code).toBe('INVALID_ARGUMENT')
    expect((error as StorageError).message).toBe(message)
  })

  test('a pattern above the limit is refused by name, an alternation of texts of that length is not', () => {
    const error = catchError(() => compile('=~', 'a[b]'.repeat(PATTERN_LENGTH_MAX)))
    expect((error as StorageError).code).toBe('LIMIT_EXCEEDED')
    expect((error as StorageError).message).toContain('PATTERN_LENGTH_MAX (10000)')
    const hosts = Array.from({ length: 5000 }, (_, i) => `host-${i}`)
    expect(compile('=~', hosts.join('|')).literals).toHaveLength(5000)
  })

  test('a pattern that makes a backtracking engine hang takes no time', () => {
    const startMs = performance.now()
    expect(compile('=~', '(a+)+c').matches('a'.repeat(5000))).toBe(false)
    expect(performance.now() - startMs).toBeLessThan(2000)
  })
})

test('every fast path answers as the regular expression does', () => {
  const piece = fc.constantFrom(
    'a',
    'b',
    'ab',
    '.*',
    '.+',
    '|',
    '\\.',
    '.',
    '^',
    '$',
    '(',
    ')',
    '?',
    '+',
    '[ab]',
    '😀',
    '',
  )
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '😀', '\n'), maxLength: 7 })
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 8 }),
      fc.array(text, { minLength: 4, maxLength: 12 }),
      (pieces, values) => {
        const pattern = pieces.join('')
        let reference: RE2JS
        try {
          reference = RE2JS.compile(`^(?s:${pattern})$`)
          RE2JS.compile(pattern)
        } catch {
          fc.pre(false)
          return
        }
        const compiled = compile('=~', pattern)
        for (const value of [...values, '']) {
          const expected = reference.matches(value)
          if (compiled.matches(value) !== expected)
            throw new Error(`${pattern} on ${JSON.stringify(value)}: ${!expected}`)
          if (expected) {
            expect(value.startsWith(compiled.prefix)).toBe(true)
            if (compiled.literals) expect(compiled.literals).toContain(value)
          }
        }
      },
    ),
    { numRuns: 3000 },
  )
})

function catchError(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
