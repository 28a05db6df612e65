import { expect, test } from 'vitest'
import { LoopTurns } from './loop-turns.js'

test('the longest stretch of each stage is told once', () => {
  const turns = new LoopTurns()
  turns.note('query', 3)
  turns.note('write', 12)
  turns.note('write', 9)
  expect(turns.take()).toEqual({ write: 12, query: 3, warm_up: 0 })
  turns.note('warm_up', 1)
  expect(turns.take()).toEqual({ write: 0, query: 0, warm_up: 1 })
})
