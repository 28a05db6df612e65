/** The slow JSON parser says what JSON.parse says, of good texts and of broken ones, and lets others go first. */
import { describe, expect, it } from 'vitest'
import { seeded } from '../../testing/seeded.js'
import { parseJsonInTurns } from './json-in-turns.js'

const slowly = (text: string) => parseJsonInTurns(text, () => Promise.resolve(), 0)
const plain = (value: unknown) => JSON.stringify(value)

describe('JSON in turns', () => {
  it.each([
    '{"a":[1,-2.5e3,0,1e-7,"x\\n\\u00e9\\"",true,false,null,{}],"":[[]],"__proto__":{"b":1}}',
    '"text"',
    '[ 1 , { "k" : [ ] } ]',
    '-0',
  ])('reads %s', async (text) => {
    expect(plain(await slowly(text))).toBe(plain(JSON.parse(text)))
  })

  it('gives the key __proto__ no meaning', async () => {
    const value = (await slowly('{"__proto__":{"polluted":1}}')) as Record<string, unknown>
    expect(Object.keys(value)).toEqual(['__proto__'])
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  it('agrees with JSON.parse on 3,000 mutated texts', async () => {
    const random = seeded(5)
    const source = '{"metric":{"__name__":"up","a":"b\\"c"},"values":[1,"NaN",null,-1.5e-3],"timestamps":[1700,2,3,4]}'
    const alphabet = '{}[],:"0123.eE+-tfn \\x'
    let good = 0
    for (let round = 0; round < 3_000; round++) {
      let text = source
      for (let i = random.below(3); i >= 0; i--) {
        const at = random.below(text.length)
        text = text.slice(0, at) + alphabet[random.below(alphabet.length)] + text.slice(at + random.below(3))
      }
      const wanted = attempt(() => plain(JSON.parse(text)))
      const got = await slowly(text).then(plain, () => 'no JSON')
      expect(got, text).toBe(wanted)
      if (wanted !== 'no JSON') good++
    }
    expect(good).toBeGreaterThan(100)
  })

  it('refuses what is too deep or too much, and turns meanwhile', async () => {
    await expect(slowly('['.repeat(200))).rejects.toThrow('nested deeper than 100')
    await expect(slowly(`[${'[],'.repeat(1_100_000)}[]]`)).rejects.toThrow('more than 1000000 lists')
    const keys = Array.from({ length: 10_001 }, (_, i) => `"k${i}":1`)
    await expect(slowly(`{${keys.join()}}`)).rejects.toThrow('more than 10000 keys')
    let turns = 0
    const text = `[${'1,'.repeat(1_000_000)}1]`
    const list = (await parseJsonInTurns(text, async () => void turns++)) as number[]
    expect(list).toHaveLength(1_000_001)
    expect(turns).toBe(50)
  })
})

function attempt(run: () => string): string {
  try {
    return run()
  } catch {
    return 'no JSON'
  }
}
