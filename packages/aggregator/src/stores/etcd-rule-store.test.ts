import { nodeEnv } from '@varve/tsdb-core/env/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Etcd3Client } from '../etcd/etcd3-client.js'
import { SimulatedEtcd } from '../etcd/simulated-etcd.js'
import { EtcdCluster, hasEtcd } from '../testing/etcd-cluster.test.support.js'
import { describeRuleStore } from '../testing/rule-store.test.suite.js'
import { EtcdRuleStore } from './etcd-rule-store.js'

const env = nodeEnv()

describeRuleStore('rules in a simulated etcd', async () => {
  const etcd = new SimulatedEtcd(env.clock, env.random)
  const [client, otherClient] = [etcd.connect(), etcd.connect()]
  return {
    store: new EtcdRuleStore({ client }),
    other: new EtcdRuleStore({ client: otherClient }),
    close: async () => void (await Promise.all([client.close(), otherClient.close()])),
  }
})

describe('rules in etcd', () => {
  it('name what lies there and is no rule', async () => {
    const etcd = new SimulatedEtcd(env.clock, env.random)
    etcd.put('/varve/rules/mappings/a', '{}')
    etcd.put('/varve/rules/drop/b', Uint8Array.of(0xff))
    const { documents, strays } = await new EtcdRuleStore({ client: etcd.connect() }).list()
    expect(documents).toEqual([])
    expect(strays).toMatchObject([
      { where: '/varve/rules/drop/b', message: expect.stringContaining('not UTF-8') },
      { where: '/varve/rules/mappings/a', message: expect.stringContaining('no rule has such a key') },
    ])
  })
})

describe.skipIf(!hasEtcd)('with a real etcd', () => {
  let etcd: EtcdCluster
  let places = 0
  beforeAll(async () => {
    etcd = await EtcdCluster.start()
  })
  afterAll(() => etcd.stop())

  describeRuleStore('rules in etcd', async () => {
    const prefix = `/varve${++places}`
    const clients = [0, 1].map(() => new Etcd3Client({ endpoints: etcd.endpoints }, env.clock))
    const [store, other] = clients.map((client) => new EtcdRuleStore({ client, prefix }))
    return { store, other, close: async () => void (await Promise.all(clients.map((client) => client.close()))) }
  })
})
