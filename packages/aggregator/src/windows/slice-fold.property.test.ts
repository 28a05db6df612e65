import { nativeKernels } from '@varve/native'
import { RUN_STRIDE } from '@varve/tsdb-core'
import { SeededRandom } from '@varve/tsdb-core/env/simulated'
import { Labels } from '@varve/tsdb-core/model'
import { describe, expect, it } from 'vitest'
import type { Rule } from '../rules/rule.js'
import { readRule } from '../rules/rule-reader.js'
import { GroupCells } from './group-cells.js'
import { WindowPlan } from './plan.js'
import { SliceFold } from './slice-fold.js'
import { SliceScan } from './slice-scan.js'

const LENGTH = 48
const EACH = ['last', 'min', 'max', 'sum', 'avg', 'count', 'increase', 'rate', 'all'] as const
/** What is drawn besides numbers: what overflows, cancels out, differs in its sign only, or is none. */
const ODD = [1e308, -1e308, 1e16, -1e16, 0, -0, Infinity, -Infinity, Number.NaN]

/** One rule for each way of contributing, with all aggregations, one with those of its operators, and one of absolute values. */
function planOf(): WindowPlan {
  const base = { match: '{job!=""}', by: ['job'], policies: ['1m:90d'], type: 'gauge' }
  const all = ['sum', 'min', 'max', 'avg', 'count', 'last', 'stddev', 'p99']
  const documents: object[] = EACH.map((each, i) => ({
    ...base,
    name: `each_${i}:{aggregate}`,
    each,
    // Those with an aggregation that kernels do not have are left to TypeScript.
    aggregate: i % 3 === 2 ? all : all.slice(0, 6),
  }))
  const { type: _type, ...untyped } = base
  for (const match of ['requests_total', 'level']) {
    documents.push({ ...untyped, match, name: `own_${match}:{aggregate}`, aggregate: all.slice(0, 6) })
  }
  documents.push({ ...base, name: 'absolute:{aggregate}', aggregate: ['sum', 'min'], absolute: true, by: [] })
  const rules = documents.map((document, i): Rule => {
    const { rule, problems } = readRule('rollup', `r${i}`, JSON.stringify(document))
    expect(problems).toEqual([])
    return rule as Rule
  })
  const problem = (_rule: Rule, message: string) => expect.unreachable(message)
  const plan = new WindowPlan({ namespace: '1m_90d', rules, metadata: () => undefined, onProblem: problem })
  for (let i = 0; i < LENGTH; i++) {
    const labels = { __name__: i % 2 === 0 ? 'requests_total' : 'level', job: `job-${i % 5}`, instance: String(i) }
    plan.addMember(i + 1, Labels.from(labels))
  }
  return plan
}

/** What two slices give, by one implementation. */
function folded(seed: number, plan: WindowPlan, kernels: null | undefined) {
  const random = new SeededRandom(seed)
  const cells = new GroupCells(plan, 1)
  const fold = new SliceFold(plan, cells, 60_000, kernels)
  const scan = new SliceScan(LENGTH, null)
  const drawn = () => (random.u32() % 6 === 0 ? ODD[random.u32() % ODD.length] : (random.u32() % 4000) / 8 - 200)
  for (let slice = 0; slice < 2; slice++) {
    const members = Uint32Array.from({ length: LENGTH }, (_, i) => i).filter(() => random.u32() % 3 > 0)
    scan.begin(members)
    const { counts, sums, mins, maxs, lasts, lastTimesMs, increases, lives, livedBefore } = scan
    for (let i = 0; i < scan.count; i++) {
      counts[i] = random.u32() % 4
      lives[i] = counts[i] > 0 || random.u32() % 3 === 0 ? 1 : 0
      livedBefore[i] = random.u32() % 2
      for (const column of [sums, mins, maxs, lasts, increases]) column[i] = drawn()
      lastTimesMs[i] = 1000 * (random.u32() % 3)
    }
    // For those that fold all samples: one run, of which each series has three.
    const values = Float64Array.from({ length: 3 * scan.count }, drawn)
    const runs = Uint32Array.of(scan.count, 3, 0, 0)
    fold.fold(scan, {
      runs,
      runCount: runs.length / RUN_STRIDE,
      timestampsMs: Float64Array.of(1, 2, 3),
      values,
      unread: [],
    })
  }
  return plan.groups.map(({ outputs }, index) => ({
    lives: [cells.lives(index, -1), cells.lives(index, 0)],
    contributed: cells.contributed[index],
    living: [...cells.living.subarray(index * 2, index * 2 + 2)],
    results: outputs.map((output, at) =>
      output === null || !cells.hasValue(index, 0) ? null : cells.result(index, at, 0),
    ),
  }))
}

describe('the fold of a slice into groups', () => {
  it.runIf(nativeKernels())('is the same by the Rust kernel and by TypeScript', () => {
    const plan = planOf()
    let compared = 0
    for (let seed = 1; seed <= 200; seed++) {
      const native = folded(seed, plan, undefined)
      expect(native, `SEED=${seed}`).toEqual(folded(seed, plan, null))
      for (const { results } of native) compared += results.filter((result) => result !== null).length
    }
    expect(compared).toBeGreaterThan(50_000)
  })
})
