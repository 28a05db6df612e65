import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readRuleAt } from '../rules/rule-reader.js'
import { describeRuleStore } from '../testing/rule-store.test.suite.js'
import { FileRuleStore } from './file-rule-store.js'

const { files } = nodeEnv()

for (const [what, path] of [
  ['a folder', 'rules'],
  ['a YAML file', 'rules.yaml'],
  ['a JSON file', 'rules.json'],
]) {
  describeRuleStore(`rules in ${what}`, async () => {
    const root = await mkdtemp(join(tmpdir(), 'varve-rules-'))
    const [store, other] = [0, 1].map(() => new FileRuleStore({ files, path: join(root, path) }))
    return {
      store,
      other,
      close: async () => {
        await Promise.all([store.close(), other.close()])
        await rm(root, { recursive: true })
      },
    }
  })
}

describe('rules in files', () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'varve-rules-'))
  })
  afterEach(() => rm(root, { recursive: true }))

  it('keep comments and order when one of them is changed', async () => {
    const path = join(root, 'rules.yaml')
    await writeFile(
      path,
      '# ours\nmapping:\n  a: # first\n    match: up\n    policies: [1m:1d]\n  b: {match: x, policies: [1m:1d]}\n',
    )
    const store = new FileRuleStore({ files, path })
    await store.put({ kind: 'mapping', name: 'b' }, '{"match": "y", "policies": ["1h:1d"]}')
    const text = await readFile(path, 'utf8')
    expect(text).toMatch(/^# ours\nmapping:\n {2}a:\n {4}# first\n {4}match: up/)
    expect(text).toContain('"y"')
  })

  it('point at the line in the shared file', async () => {
    const path = join(root, 'rules.yaml')
    await writeFile(path, 'mapping:\n  a:\n    match: up\n    policies: [1m]\n')
    const [document] = (await new FileRuleStore({ files, path }).list()).documents
    const { problems } = readRuleAt('mapping', 'a', document.within!.document, document.within!.path)
    expect(problems).toMatchObject([{ line: 4, column: 16, path: 'policies[0]' }])
  })

  it('say what does not parse, and that the listing is not complete', async () => {
    await mkdir(join(root, 'mapping'))
    await writeFile(join(root, 'mapping/a.yaml'), 'match: up\npolicies: [1m:1d]\n')
    await writeFile(join(root, 'mapping/a.json'), '{}')
    await writeFile(join(root, 'more.yaml'), 'mapping: {a: [\n')
    await writeFile(join(root, 'kinds.yaml'), 'mappings: {}\n')
    const listing = await new FileRuleStore({ files, path: root }).list()
    expect(listing.complete).toBe(false)
    expect(listing.documents.map(({ where }) => where)).toEqual([join(root, 'mapping/a.json')])
    expect(listing.strays.map(({ message }) => message).sort()).toEqual([
      expect.stringMatching(/^line 1, column 1: there is no kind "mappings"/),
      expect.stringMatching(/^line 2, column 1: Flow map/),
      expect.stringMatching(/^line 2, column 1: Flow sequence/),
      expect.stringContaining('mapping/a stands in'),
    ])
  })
})
