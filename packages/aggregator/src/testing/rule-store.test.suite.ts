/** What every `RuleStore` does: run by each implementation's test. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RuleId, RuleStore } from '../stores/rule-store.js'
import { eventually } from './etcd-cluster.test.support.js'

export interface StoreUnderTest {
  readonly store: RuleStore
  /** A second view of the same place: another process. */
  readonly other: RuleStore
  close(): Promise<void>
}

const rule = (match: string) => JSON.stringify({ match, policies: ['1m:1d'] })
const id = (name: string, kind: RuleId['kind'] = 'mapping'): RuleId => ({ kind, name })

export function describeRuleStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let place: StoreUnderTest
    beforeEach(async () => {
      place = await open()
    })
    afterEach(() => place.close())

    const names = async () => (await place.store.list()).documents.map((d) => `${d.kind}/${d.name}`).sort()
    const textOf = async (wanted: RuleId) =>
      (await place.store.list()).documents.find((d) => d.kind === wanted.kind && d.name === wanted.name)?.text

    it('is empty at first', async () => {
      expect(await place.store.list()).toMatchObject({ documents: [], strays: [], complete: true })
    })

    it('lists what was put, of every kind, by whomever', async () => {
      await place.store.put(id('a'), rule('a'))
      await place.other.put(id('a', 'drop'), '{"match": "a"}')
      await place.store.put(id('default', 'namespace'), '{"retention": "15d"}')
      await place.store.put(id('b', 'rollup'), '{}')
      expect(await names()).toEqual(['drop/a', 'mapping/a', 'namespace/default', 'rollup/b'])
      expect(JSON.parse((await textOf(id('a'))) ?? '')).toEqual(JSON.parse(rule('a')))
    })

    it('replaces and deletes', async () => {
      await place.store.put(id('a'), rule('a'))
      await place.other.put(id('a'), rule('b'))
      expect(await textOf(id('a'))).toContain('"b"')
      expect(await place.store.delete(id('a'))).toBe(true)
      expect(await place.store.delete(id('a'))).toBe(false)
      expect(await names()).toEqual([])
    })

    it('puts under a condition only if nobody was faster', async () => {
      await place.store.put(id('a'), rule('a'), { expectedRevision: 0 })
      await expect(place.other.put(id('a'), rule('b'), { expectedRevision: 0 })).rejects.toMatchObject({
        code: 'CONFLICT',
      })
      const { revision } = (await place.store.list()).documents[0]
      await place.store.put(id('a'), rule('c'), { expectedRevision: revision })
      expect(await textOf(id('a'))).toContain('"c"')
    })

    it('keeps a document that is no good rule, so that it can be seen', async () => {
      await place.store.put(id('a'), '{"match": "x{"}')
      expect(await names()).toEqual(['mapping/a'])
    })

    it('tells of changes, and of those after a listing too', async () => {
      let told = 0
      const watch = place.store.watch(() => told++)
      for (const round of [1, 2, 3]) {
        await place.store.list()
        await new Promise((resolve) => setTimeout(resolve, 50))
        told = 0
        await place.other.put(id(`r${round}`), rule('x'))
        await eventually(`word of change ${round}`, () => told > 0)
      }
      await watch.close()
    })
  })
}
