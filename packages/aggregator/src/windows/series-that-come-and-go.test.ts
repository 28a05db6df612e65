import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Labels } from '@varve/tsdb-core/model'
import { describe, expect, it, onTestFinished } from 'vitest'
import { RollupWorld, type WorldSample } from '../testing/rollup-world.test.support.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const start = Date.UTC(2026, 0, 1)
const sampleAt = (labels: Labels, timestampMs: number, value: number): WorldSample => ({ labels, timestampMs, value })
/** So long that a series that is not written in one is gone. */
const ROUND_MS = 25 * MINUTE
const blockSizeMs = 10 * MINUTE

async function open(): Promise<RollupWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-come-and-go-'))
  const world = await RollupWorld.open({ startMs: start, graceMs: 5000, directory, blockSizeMs })
  onTestFinished(async () => {
    await world.database.close()
    await rm(directory, { recursive: true })
  })
  return world
}

const policies = ['1m:90d']

describe('series that come and go', { timeout: 180_000 }, () => {
  it('leave the plan, groups with them, and count again when they come back', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', { match: '{__name__!=""}', aggregations: ['last', 'increase'], policies })
    const byPod = { match: 'c_total', name: 'pod:c', by: ['pod'], aggregate: 'sum', policies }
    await world.putRule('rollup', 'pods', byPod)
    await world.putRule('rollup', 'jobs', { input: 'pods', name: 'job:c', by: [], aggregate: 'sum', policies })
    const podsPerRound = 60
    const rounds = 12
    const podOf = (round: number, index: number) =>
      Labels.from({ __name__: 'c_total', pod: `${round}-${index}`, job: 'x' })
    const stays = Labels.from({ __name__: 'c_total', pod: 'stays', job: 'x' })
    const memberCounts: number[] = []
    const groupCounts: number[] = []
    for (let round = 0; round < rounds; round++) {
      const roundMs = start + round * ROUND_MS
      const pods = Array.from({ length: podsPerRound }, (_, index) => podOf(round, index))
      // Some of those that went two rounds or more ago.
      if (round % 4 === 3) for (let index = 0; index < 50; index++) pods.push(podOf(round - 3, index))
      for (let minute = 0; minute < 4; minute++) {
        const timeMs = roundMs + (minute + 0.5) * MINUTE
        world.clock.nowMs = timeMs
        await world.append(
          [...pods, stays].map((labels, i) => sampleAt(labels, timeMs, (minute + 1) * (i + round + 1))),
        )
        await world.advanceTo(roundMs + (minute + 1.2) * MINUTE)
        const [runner] = world.runners.values()
        memberCounts.push(runner.planSize().memberCount)
        groupCounts.push(runner.planSize().groupCount)
      }
      // Late, of a pod that went long ago: its window and its groups are computed of series that the plan may not know.
      if (round > 4) await world.append([sampleAt(podOf(round - 4, 1), roundMs - 4 * ROUND_MS + 1.6 * MINUTE, 1e6)])
      await world.advanceTo(roundMs + 0.9 * ROUND_MS)
      await world.database.flush()
    }
    expect(await world.expectExact()).toBeGreaterThan(rounds * podsPerRound)
    // Two rounds are in the head, and some 256 series that are gone are kept until it is worth making a plan anew.
    expect(Math.max(...memberCounts)).toBeLessThan((rounds * podsPerRound * 2) / 3)
    expect(Math.max(...groupCounts)).toBeLessThan(rounds * podsPerRound)
  })

  it('are found under the reference that they had when they were gone before', async () => {
    const world = await open()
    await world.putRule('rollup', 'sum', { match: 'g', name: 'out', by: [], aggregate: 'sum', policies })
    const [goes, stays] = ['goes', 'stays'].map((pod) => Labels.from({ __name__: 'g', pod }))
    const both = async (hour: number) => {
      world.clock.nowMs = start + hour * HOUR + MINUTE / 2
      await world.append([goes, stays].map((labels) => sampleAt(labels, world.clock.nowMs, 1)))
      await world.advanceTo(start + hour * HOUR + 1.2 * MINUTE)
    }
    const isGoneAfter = async (hour: number) => {
      for (const later of [hour + 3, hour + 6]) {
        world.clock.nowMs = start + later * HOUR
        await world.append([sampleAt(stays, world.clock.nowMs, 1)])
        await world.advanceTo(start + later * HOUR + 1.2 * MINUTE)
        await world.database.flush()
      }
    }
    await both(0)
    await isGoneAfter(0)
    // The window is computed again, of the series that is gone too.
    await world.append([sampleAt(stays, start + 0.6 * MINUTE, 10)])
    await world.advanceTo(start + 7 * HOUR)
    await world.expectExact()
    await both(8)
    await isGoneAfter(8)
    await world.append([sampleAt(stays, start + 0.7 * MINUTE, 100)])
    await world.advanceTo(start + 15 * HOUR)
    await world.expectExact()
  })

  it.each([
    ['the same rules', 'c_total'],
    ['rules that count it from then on', 'd_total'],
  ])('leave with a late sample that is not computed: growth to the next one counts once, by %s', async (_, name) => {
    const world = await open()
    await world.putRule('mapping', 'all', { match: 'c_total', aggregations: ['last', 'increase'], policies })
    await world.putRule('rollup', 'sum', { match: 'c_total', name: 'out', by: [], aggregate: 'sum', policies })
    const [soon, later, never, stays] = ['soon', 'later', 'never', 'stays'].map((pod) =>
      Labels.from({ __name__: pod === 'later' ? name : 'c_total', pod }),
    )
    const write = async (minute: number, series: readonly Labels[], value: number) => {
      const timeMs = start + minute * MINUTE
      world.clock.nowMs = timeMs
      await world.append(series.map((labels) => sampleAt(labels, timeMs, value)))
    }
    const pass = async (minute: number) => {
      await world.advanceTo(start + minute * MINUTE)
      await world.database.flush()
    }
    await write(0.5, [soon, later, never, stays], 1)
    await pass(1.2)
    await write(40.5, [soon, stays], 10)
    await pass(60)
    if (name !== 'c_total') await world.putRule('mapping', 'more', { match: name, policies })
    await write(600.5, [later, stays], 100)
    await pass(601.2)
    await write(1000.5, [stays], 1000)
    await pass(1007)
    await world.expectExact()
    const lateSamples = [soon, later, never].map((labels) => sampleAt(labels, start + 5.5 * MINUTE, 4))
    await world.append(lateSamples)
    const raw = world.database.namespace('default')
    const refs = await raw.resolveLabels([soon, later, never])
    const [runner] = world.runners.values()
    expect(runner.isDirty).toBe(true)
    for (const minute of [1200.5, 1400.5]) {
      await write(minute, [stays], 2000)
      await world.database.flush()
    }
    expect([...refs].map((ref) => raw.labelsOf(ref))).toEqual([undefined, undefined, undefined])
    await world.advanceTo(start + 1401.2 * MINUTE)
    await world.expectExact()
  })

  it('end with a marker where they leave memory before the next window of a coarse policy is computed', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', { match: 'g', aggregations: ['last'], policies: ['6h:90d'] })
    const [goes, stays] = ['goes', 'stays'].map((pod) => Labels.from({ __name__: 'g', pod }))
    const raw = world.database.namespace('default')
    await world.advanceTo(start + HOUR)
    for (let hour = 1.5; hour < 20; hour++) {
      world.clock.nowMs = start + hour * HOUR
      const series = hour < 12 ? [goes, stays] : [stays]
      await world.append(series.map((labels) => sampleAt(labels, world.clock.nowMs, hour)))
      await world.advanceTo(world.clock.nowMs + MINUTE)
      await world.database.flush()
    }
    expect(raw.headSeries()).toHaveLength(1)
    await world.expectExact()
  })

  it('end with a marker where a late sample came before they left memory', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', { match: 'g', aggregations: ['last'], policies: ['6h:90d'] })
    const [goes, stays] = ['goes', 'stays'].map((pod) => Labels.from({ __name__: 'g', pod }))
    const raw = world.database.namespace('default')
    const heads: number[] = []
    await world.advanceTo(start + HOUR)
    for (let hour = 1.5; hour < 20; hour++) {
      world.clock.nowMs = start + hour * HOUR
      const samples = (hour < 12 ? [goes, stays] : [stays]).map((each) => sampleAt(each, world.clock.nowMs, hour))
      if (hour === 12.5) samples.push(sampleAt(goes, start + 11.6 * HOUR, 7))
      await world.append(samples)
      await world.advanceTo(world.clock.nowMs + MINUTE)
      await raw.flush(start + Math.floor(hour) * HOUR)
      heads.push(raw.headSeries().length)
      await world.advanceTo(start + Math.ceil(hour) * HOUR + MINUTE)
    }
    expect(heads.slice(10, 13)).toEqual([2, 1, 1])
    await world.expectExact()
  })

  it.each([1.5, 4.5, 5.5, 6.5])(
    'end with a staleness marker where they left memory while a window was being computed, at %d',
    async (evictedAt) => {
      const world = await open()
      await world.putRule('mapping', 'all', { match: 'g', aggregations: ['last'], policies })
      await world.putRule('rollup', 'count', { match: 'g', name: 'out', by: ['pod'], aggregate: 'sum', policies })
      const [goes, stays] = ['goes', 'stays'].map((pod) => Labels.from({ __name__: 'g', pod }))
      const raw = world.database.namespace('default')
      const at = async (minute: number, ...series: Labels[]) => {
        world.clock.nowMs = start + minute * MINUTE
        await world.append(series.map((labels) => sampleAt(labels, world.clock.nowMs, minute)))
        await world.advanceTo(start + (minute + 0.7) * MINUTE)
      }
      await at(0.5, goes, stays)
      // Too young to go in the first round.
      await world.database.flush()
      const { readRecent } = raw
      for (let minute = 1.5; minute < 9; minute++) {
        if (minute === evictedAt) {
          raw.readRecent = async (...request) => {
            raw.readRecent = readRecent
            await world.database.flush()
            return readRecent.apply(raw, request)
          }
        }
        await at(minute, stays)
        const head = [...raw.headSeries()].map((ref) => `${raw.labelsOf(ref)}`)
        expect(head.includes(`${goes}`)).toBe(minute < evictedAt)
      }
      await world.expectExact()
    },
  )

  it('count in their first window where they left memory while it was being computed', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', { match: 'g', aggregations: ['last'], policies })
    await world.putRule('rollup', 'sum', { match: 'g', name: 'out', by: [], aggregate: 'sum', policies })
    const [comes, stays] = ['comes', 'stays'].map((pod) => Labels.from({ __name__: 'g', pod }))
    const raw = world.database.namespace('default')
    const write = async (minute: number, ...series: Labels[]) => {
      world.clock.nowMs = start + minute * MINUTE
      await world.append(series.map((labels) => sampleAt(labels, world.clock.nowMs, minute)))
    }
    for (let minute = 0.5; minute < 18; minute++) {
      await write(minute, stays)
      // Known without a sample, and no longer too young to go.
      if (minute === 11.5) {
        await raw.resolveLabels([comes])
        await raw.flush(start + 10 * MINUTE)
      }
      await world.advanceTo(start + (minute + 0.7) * MINUTE)
    }
    await write(18.5, comes, stays)
    await write(20.1, stays)
    const { readRecent } = raw
    raw.readRecent = async (...request) => {
      raw.readRecent = readRecent
      const samples = await readRecent.apply(raw, request)
      await raw.flush(start + 20 * MINUTE)
      return samples
    }
    await world.advanceTo(start + 19.2 * MINUTE)
    expect(raw.readRecent).toBe(readRecent)
    expect([...raw.headSeries()].map((ref) => raw.labelsOf(ref)?.get('pod'))).toEqual(['stays'])
    await world.expectExact()
  })

  it('are not taken for others whose labels have the same hash of 32 bits', async () => {
    const world = await open()
    await world.putRule('mapping', 'all', { match: 'g', aggregations: ['last'], policies })
    // Found by trying: FNV-1a of their labels is the same.
    const [goes, comes] = ['ga7col0n', '45p3uca0'].map((pod) => Labels.from({ __name__: 'g', pod }))
    const at = async (minute: number, ...series: Labels[]) => {
      world.clock.nowMs = start + minute * MINUTE
      await world.append(series.map((labels) => sampleAt(labels, world.clock.nowMs, minute)))
      await world.advanceTo(start + (minute + 0.7) * MINUTE)
    }
    const raw = world.database.namespace('default')
    await at(0.5, goes)
    await world.database.flush()
    await at(1.5, Labels.from({ __name__: 'g', pod: 'another' }))
    await world.database.flush()
    expect([...raw.headSeries()].map((ref) => raw.labelsOf(ref)?.get('pod'))).toEqual(['another'])
    for (let minute = 2.5; minute < 9; minute++) await at(minute, comes)
    await world.expectExact()
  })
})
