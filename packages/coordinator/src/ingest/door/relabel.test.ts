import { Labels } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import { Relabeller, type RelabelRule } from './relabel.js'

const rule = (given: Partial<RelabelRule>): RelabelRule => ({
  source_labels: [],
  separator: ';',
  regex: '(.*)',
  replacement: '$1',
  action: 'replace',
  ...given,
})

function relabelled(labels: Record<string, string>, ...rules: Partial<RelabelRule>[]): Record<string, string> | null {
  const result = new Relabeller(rules.map(rule)).apply(Labels.from(labels))
  return result === null ? null : Object.fromEntries(result)
}

// Cases after Prometheus' own (model/relabel/relabel_test.go), worked out by hand.
describe('Relabeller', () => {
  it('replaces by groups', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Go's template, not ours.
    const rules = { source_labels: ['a'], regex: 'f(.*)', target_label: 'd', replacement: 'ch${1}-ch$1' }
    expect(relabelled({ a: 'foo', b: 'bar' }, rules)).toEqual({ a: 'foo', b: 'bar', d: 'choo-choo' })
    expect(relabelled({ a: 'boo' }, rules)).toEqual({ a: 'boo' })
  })

  it('matches from end to end, over newlines', () => {
    expect(relabelled({ a: 'xfoo' }, { source_labels: ['a'], regex: 'foo', action: 'drop' })).not.toBeNull()
    expect(relabelled({ a: 'x\ny' }, { source_labels: ['a'], regex: 'x.y', action: 'drop' })).toBeNull()
  })

  it('joins source labels and takes absent ones as empty', () => {
    const rules = { source_labels: ['a', 'b', 'c'], separator: '-', target_label: 'j' }
    expect(relabelled({ a: '1', c: '3' }, rules)).toEqual({ a: '1', c: '3', j: '1--3' })
  })

  it('removes a label by an empty replacement', () => {
    const rules = { source_labels: ['a'], regex: '.*', target_label: 'a', replacement: '' }
    expect(relabelled({ a: '1', b: '2' }, rules)).toEqual({ b: '2' })
  })

  it('names the target by groups too', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Go's template, not ours.
    const rules = { source_labels: ['a'], regex: '(?P<k>\\w+)=(\\w+)', target_label: '${k}', replacement: '$2$$' }
    expect(relabelled({ a: 'x=y' }, rules)).toEqual({ a: 'x=y', x: 'y$' })
  })

  it('keeps, drops, and compares', () => {
    expect(relabelled({ a: '1' }, { source_labels: ['a'], regex: '1', action: 'keep' })).toEqual({ a: '1' })
    expect(relabelled({ a: '1' }, { source_labels: ['a'], regex: '2', action: 'keep' })).toBeNull()
    const equal = { source_labels: ['a'], target_label: 'b' }
    expect(relabelled({ a: '1', b: '1' }, { ...equal, action: 'dropequal' })).toBeNull()
    expect(relabelled({ a: '1', b: '2' }, { ...equal, action: 'keepequal' })).toBeNull()
  })

  it('hashes as Prometheus does', () => {
    // From relabel_test.go: md5 of "bar;foo"-like input modulo 1000.
    const rules: Partial<RelabelRule> = { source_labels: ['c'], target_label: 'd', modulus: 1000, action: 'hashmod' }
    expect(relabelled({ a: 'foo', b: 'bar', c: 'baz' }, rules)).toEqual({ a: 'foo', b: 'bar', c: 'baz', d: '976' })
  })

  it('maps, drops and keeps names', () => {
    const labels = { a: 'foo', b1: 'bar', b2: 'baz' }
    const map = { regex: '(b.*)', replacement: 'bar_$1', action: 'labelmap' } as const
    expect(relabelled(labels, map)).toEqual({ ...labels, bar_b1: 'bar', bar_b2: 'baz' })
    expect(relabelled(labels, { regex: '(b.*)', action: 'labeldrop' })).toEqual({ a: 'foo' })
    expect(relabelled(labels, { regex: '(b.*)', action: 'labelkeep' })).toEqual({ b1: 'bar', b2: 'baz' })
  })

  it('changes case', () => {
    const lower: Partial<RelabelRule> = { source_labels: ['a'], target_label: 'b', action: 'lowercase' }
    expect(relabelled({ a: 'FoÖ' }, lower)).toEqual({ a: 'FoÖ', b: 'foö' })
  })

  it('takes labels that objects would swallow', () => {
    const rules = { source_labels: ['__proto__'], target_label: 'constructor' }
    const labels = Labels.from([
      ['__name__', 'x'],
      ['__proto__', 'p'],
    ])
    const result = new Relabeller([rule(rules)]).apply(labels)
    expect(result?.flat).toEqual(['__name__', 'x', '__proto__', 'p', 'constructor', 'p'])
  })

  it.each<[Partial<RelabelRule>, RegExp]>([
    [{ regex: '(', target_label: 'x' }, /relabel\[0\] \(action replace\): regex "\("/],
    [{ action: 'replace' }, /wanted a target_label/],
    [{ action: 'hashmod', target_label: 'x' }, /wanted a modulus/],
  ])('refuses %o', (given, message) => {
    expect(() => new Relabeller([rule(given)])).toThrowError(message)
  })
})
