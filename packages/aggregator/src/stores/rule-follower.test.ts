import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Etcd3Client } from '../etcd/etcd3-client.js'
import { SimulatedEtcd } from '../etcd/simulated-etcd.js'
import type { MappingRule } from '../rules/rule.js'
import { EtcdCluster, eventually, hasEtcd } from '../testing/etcd-cluster.test.support.js'
import { EtcdRuleStore } from './etcd-rule-store.js'
import { FileRuleStore } from './file-rule-store.js'
import { RuleFollower } from './rule-follower.js'
import type { RuleStore } from './rule-store.js'

const env = nodeEnv()
const rule = (match: string) => JSON.stringify({ match, policies: ['1m:1d'] })
const key = '/varve/rules/mapping/a'

describe('following a rule store', () => {
  let root: string
  const followers: RuleFollower[] = []
  const notices: string[] = []
  const follow = async (store: RuleStore) => {
    const follower = new RuleFollower({
      env,
      store,
      statePath: join(root, 'state/rules.msgpack'),
      onChange: () => {},
      onNotice: (severity, message) => notices.push(`${severity}: ${message}`),
    })
    followers.push(follower)
    await follower.start()
    return follower
  }
  const matchOf = (follower: RuleFollower) => (follower.book.currentRules()[0] as MappingRule | undefined)?.matchText

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'varve-follow-'))
    notices.length = 0
  })
  afterEach(async () => {
    for (const follower of followers.splice(0)) await follower.stop()
    await rm(root, { recursive: true })
  })

  it('knows a rule soon after it was put', async () => {
    const etcd = new SimulatedEtcd(env.clock, env.random)
    const follower = await follow(new EtcdRuleStore({ client: etcd.connect() }))
    await new Promise((resolve) => setTimeout(resolve, 600)) // The simulated watch connects after half a second.
    etcd.put(key, rule('one'))
    await eventually('the rule', () => matchOf(follower) === 'one', 1000)
  })

  it('uses the last rules when it starts without the store, and the new ones once it is back', async () => {
    const etcd = new SimulatedEtcd(env.clock, env.random)
    etcd.put(key, rule('one'))
    await (await follow(new EtcdRuleStore({ client: etcd.connect() }))).stop()
    etcd.goDown()
    const follower = await follow(new EtcdRuleStore({ client: etcd.connect() }))
    expect(matchOf(follower)).toBe('one')
    expect(follower.status()).toMatchObject({ reachable: false, error: expect.stringContaining('no answer') })
    etcd.put(key, rule('two'))
    etcd.comeBack()
    await eventually('the new rule', () => matchOf(follower) === 'two')
    expect(follower.status()).toMatchObject({ reachable: true, error: null })
  })

  it('tells of a file that does not parse, once until it changes', async () => {
    const path = join(root, 'rules.yaml')
    await writeFile(path, 'mapping: {\n')
    const follower = await follow(new FileRuleStore({ files: env.files, path }))
    await follower.refresh()
    const told = () => notices.filter((notice) => notice.startsWith(`error: this is no rule: ${path}: line `))
    expect(told()).toHaveLength(1)
    await writeFile(path, `mapping: { a: ${rule('one')} }\n`)
    await follower.refresh()
    expect(matchOf(follower)).toBe('one')
    expect(notices).toContain('info: what was no rule is mended')
    await writeFile(path, 'mapping: {\n')
    await follower.refresh()
    expect(told()).toHaveLength(2)
  })

  it('starts with an unreadable state file: it is left aside and reported', async () => {
    const etcd = new SimulatedEtcd(env.clock, env.random)
    etcd.put(key, rule('one'))
    await env.files.makeDirectory(join(root, 'state'))
    await writeFile(join(root, 'state/rules.msgpack'), 'nonsense')
    const follower = await follow(new EtcdRuleStore({ client: etcd.connect() }))
    expect(matchOf(follower)).toBe('one')
    expect(notices.join()).toContain('cannot be read and are left aside')
  })
})

describe.skipIf(!hasEtcd)('rules in a real etcd that fails', () => {
  for (const memberCount of [1, 3]) {
    it(`converge within 5 s of the return of ${memberCount} member(s): killed, frozen, compacted`, async () => {
      const etcd = await EtcdCluster.start(memberCount)
      const client = new Etcd3Client({ endpoints: etcd.endpoints }, env.clock)
      const store = new EtcdRuleStore({ client })
      const follower = new RuleFollower({ env, store, onChange: () => {}, onNotice: () => {} })
      const matchOf = () => (follower.book.currentRules()[0] as MappingRule | undefined)?.matchText
      const everyMember = (act: (index: number) => unknown) =>
        Promise.all(Array.from({ length: memberCount }, (_, index) => act(index)))
      const put = async (match: string) => {
        await etcd.ctl('put', key, rule(match))
        return eventually(match, () => matchOf() === match, 5000)
      }
      try {
        await follower.start()
        await put('first')

        await everyMember((index) => etcd.kill(index))
        await everyMember((index) => etcd.run(index))
        await etcd.ready()
        await put('killed')

        await everyMember((index) => etcd.signal(index, 'SIGSTOP'))
        await eventually(
          'unreachable',
          async () => {
            await follower.refresh()
            return !follower.status().reachable
          },
          15_000,
        )
        await everyMember((index) => etcd.signal(index, 'SIGCONT'))
        await etcd.ready()
        await put('frozen')

        const { modRevision } = (await client.get(key))!
        await etcd.ctl('compact', String(modRevision))
        await put('compacted')

        if (memberCount > 1) {
          // The others go on without the one that answered so far.
          for (let index = 0; index < memberCount; index++) {
            await etcd.kill(index)
            await eventually(
              `a majority without member ${index}`,
              () =>
                etcd.ctl('get', 'x').then(
                  () => true,
                  () => false,
                ),
              10_000,
            )
            await put(`without${index}`)
            etcd.run(index)
            await etcd.ready()
          }
        } else {
          // Everything lost: what the store says is the truth.
          await etcd.wipe(0)
          etcd.run(0)
          await etcd.ready()
          await eventually('no rules', () => follower.book.currentRules().length === 0, 5000)
          await put('wiped')
        }
      } finally {
        await follower.stop()
        await client.close()
        await etcd.stop()
      }
    }, 90_000)
  }
})
