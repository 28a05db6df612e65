import { nodeEnv } from '@varve/tsdb-core/env/node'
import { expect, test } from 'vitest'
import { QueryGate } from './query-gate.js'

const { clock } = nodeEnv()
const never = new AbortController().signal

function held() {
  let release = () => {}
  const done = new Promise<void>((resolve) => (release = resolve))
  return { done, release: () => release() }
}

test('queries above the limit wait in order, a full queue refuses', async () => {
  const gate = new QueryGate({ clock, concurrencyMax: 1, queueLengthMax: 1, waitMsMax: 60_000 })
  const first = held()
  const order: string[] = []
  const running = gate.run(never, async () => {
    await first.done
    order.push('first')
  })
  const waiting = gate.run(never, async () => void order.push('second'))
  await expect(gate.run(never, async () => {})).rejects.toMatchObject({ type: 'unavailable' })
  expect([gate.running, gate.waiting, gate.refusedCount]).toEqual([1, 1, 1])
  first.release()
  await Promise.all([running, waiting])
  expect(order).toEqual(['first', 'second'])
  expect([gate.running, gate.waiting]).toEqual([0, 0])
})

test('who waits too long is told to come again, who leaves gives up the place', async () => {
  const gate = new QueryGate({ clock, concurrencyMax: 1, queueLengthMax: 5, waitMsMax: 20 })
  const first = held()
  const running = gate.run(never, () => first.done)
  const controller = new AbortController()
  const left = gate.run(controller.signal, async () => {})
  controller.abort()
  await expect(left).rejects.toMatchObject({ type: 'canceled' })
  await expect(gate.run(never, async () => {})).rejects.toMatchObject({ type: 'unavailable' })
  first.release()
  await running
  expect(gate.waiting).toBe(0)
  await gate.run(never, async () => {})
})

test('a query that fails gives its place back', async () => {
  const gate = new QueryGate({ clock, concurrencyMax: 1, queueLengthMax: 0, waitMsMax: 1 })
  await expect(
    gate.run(never, async () => {
      throw new Error('no')
    }),
  ).rejects.toThrow('no')
  expect(gate.running).toBe(0)
})
