/** docs/rules.md says what is so, and docs/rules.schema.json is made from the schemas. `UPDATE=1` writes the latter. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { describe, expect, it } from 'vitest'
import { FileRuleStore } from '../stores/file-rule-store.js'
import { problemText } from './document-text.js'
import type { RuleKind } from './rule.js'
import { readRule, readRuleAt } from './rule-reader.js'
import { ruleJsonSchema } from './rule-schema.js'

const docs = new URL('../../../../docs/', import.meta.url)

async function blocks(): Promise<{ info: string; text: string }[]> {
  const page = await readFile(new URL('rules.md', docs), 'utf8')
  return [...page.matchAll(/^```(.+)\n([\s\S]*?)^```$/gm)].map(([, info, text]) => ({ info, text }))
}

describe('the page on rules', () => {
  it('has examples that are good rules', async () => {
    const examples = (await blocks()).flatMap(({ info, text }) => {
      const match = /^(?:json|yaml) rule=(\w+)\/(\S+)$/.exec(info)
      return match ? [{ kind: match[1] as RuleKind, name: match[2], text }] : []
    })
    expect(examples.length).toBeGreaterThanOrEqual(8)
    for (const { kind, name, text } of examples)
      expect(readRule(kind, name, text).problems, `${kind}/${name}`).toEqual([])
  })

  it('shows the problems of a bad rule as they are reported', async () => {
    const all = await blocks()
    const at = all.findIndex(({ info }) => info === 'json bad-rule=mapping/typo')
    const problems = readRule('mapping', 'typo', all[at].text).problems.map(problemText)
    expect(`${problems.join('\n')}\n`).toBe(all[at + 1].text)
  })

  it('shows a file that the store reads', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'varve-page-'))
    try {
      const path = join(folder, 'rules.yaml')
      await writeFile(path, (await blocks()).find(({ info }) => info === 'yaml rules-file')!.text)
      const { documents, strays } = await new FileRuleStore({ files: nodeEnv().files, path }).list()
      expect(strays).toEqual([])
      expect(documents.map(({ kind, name }) => `${kind}/${name}`)).toEqual(['mapping/node', 'rollup/requests'])
      for (const { kind, name, within } of documents) {
        expect(readRuleAt(kind, name, within!.document, within!.path).problems).toEqual([])
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('links a JSON Schema that is up to date', async () => {
    const file = new URL('rules.schema.json', docs)
    const schema = `${JSON.stringify(ruleJsonSchema(), null, 2)}\n`
    if (process.env.UPDATE) await writeFile(file, schema)
    expect(await readFile(file, 'utf8')).toBe(schema)
  })
})
