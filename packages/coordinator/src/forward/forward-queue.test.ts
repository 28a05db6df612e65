import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type File, FileError, type FileSystem } from '@varve/tsdb-core/env'
import { nodeEnv } from '@varve/tsdb-core/env/node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ForwardQueue, type ForwardQueueOptions } from './forward-queue.js'
import { QUEUE_HEADER_SIZE, RECORD_HEADER_SIZE } from './queue-format.js'

let directory: string
let notices: string[]
let options: ForwardQueueOptions
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-queue-'))
  notices = []
  const { files } = nodeEnv()
  options = { files, directory, sizeBytesMax: 1 << 30, onDamage: (message) => void notices.push(message) }
})
afterEach(() => rmSync(directory, { recursive: true }))

async function drained(queue: ForwardQueue): Promise<number[]> {
  const seen: number[] = []
  for (let record = await queue.first(); record !== null; record = await queue.first()) {
    seen.push(record.payload[0])
    await queue.remove()
  }
  return seen
}

const one = (i: number) => ({ payload: Uint8Array.of(i), sampleCount: i })
const RECORD_SIZE = RECORD_HEADER_SIZE + 1

test('it keeps its order over a restart, cuts a torn end, and leaves no file behind', async () => {
  const first = await ForwardQueue.open(options)
  for (let i = 1; i <= 3; i++) await first.append(one(i))
  expect((await first.first())?.payload).toEqual(Uint8Array.of(1))
  await first.remove()
  expect((await first.first())?.payload).toEqual(Uint8Array.of(2))
  await first.append(one(4))
  await first.close()

  const [name] = readdirSync(directory).sort()
  truncateSync(join(directory, name), QUEUE_HEADER_SIZE + RECORD_SIZE * 3 - 1)
  const second = await ForwardQueue.open(options)
  expect(await drained(second)).toEqual([1, 2, 4])
  expect(readdirSync(directory)).toEqual([])
  expect(notices).toEqual([])
  await second.close()
})

test('the oldest go when it is full, and are counted, those of before a restart too', async () => {
  const small = { ...options, sizeBytesMax: 9 << 20 }
  const large = { payload: new Uint8Array(2 << 20), sampleCount: 10 }
  const first = await ForwardQueue.open(small)
  for (let i = 0; i < 3; i++) await first.append(large)
  await first.close()
  const second = await ForwardQueue.open(small)
  for (let i = 0; i < 4; i++) await second.append(large)
  expect(second.droppedSampleCount).toBeGreaterThanOrEqual(30)
  expect(second.droppedSampleCount % 10).toBe(0)
  expect(second.sizeBytes).toBeLessThan(9 << 20)
  const left = (await drained(second)).length
  expect(left * 10 + second.droppedSampleCount).toBe(70)
  await second.close()
})

test('what was sent of a segment is not counted as dropped with the rest of it', async () => {
  const queue = await ForwardQueue.open({ ...options, sizeBytesMax: 8 << 20 })
  const large = { payload: new Uint8Array(1 << 20), sampleCount: 10 }
  for (let i = 0; i < 2; i++) await queue.append(large)
  await queue.first()
  await queue.remove()
  await queue.first()
  for (let i = 0; i < 8; i++) await queue.append(large)
  await queue.remove()
  const left = (await drained(queue)).length
  // One was taken before, and of the one being sent while its segment went nobody knows: it is counted.
  expect(left * 10 + queue.droppedSampleCount).toBe(90)
  await queue.close()
})

test('a record with wrong bytes is left out and told, those behind it are sent', async () => {
  const first = await ForwardQueue.open(options)
  for (let i = 1; i <= 4; i++) await first.append(one(i))
  await first.close()
  const path = join(directory, readdirSync(directory)[0])
  const bytes = readFileSync(path)
  bytes[QUEUE_HEADER_SIZE + RECORD_SIZE * 2 - 1] ^= 0xff
  writeFileSync(path, bytes)
  const second = await ForwardQueue.open(options)
  expect(await drained(second)).toEqual([1, 3, 4])
  expect(notices).toEqual([expect.stringMatching(/queue.* at byte 21.*checksum/)])
  expect(second.droppedSampleCount).toBe(2)
  await second.close()
})

test.each([
  ['another version', (bytes: Buffer) => bytes.writeUInt32LE(9, 4), /version 9, wanted 1/],
  ['another kind of file', (bytes: Buffer) => bytes.write('XXXX', 0), /does not begin as a forward queue/],
])('%s is told and set aside, not thrown away', async (_, damage, said) => {
  const first = await ForwardQueue.open(options)
  await first.append(one(1))
  await first.close()
  const name = readdirSync(directory)[0]
  const bytes = readFileSync(join(directory, name))
  damage(bytes)
  writeFileSync(join(directory, name), bytes)
  const second = await ForwardQueue.open(options)
  expect(await second.first()).toBeNull()
  expect(notices).toEqual([expect.stringMatching(said)])
  expect(readdirSync(directory)).toEqual([`${name}.unread`])
  await second.append(one(2))
  expect(await drained(second)).toEqual([2])
  await second.close()
})

test('a write that fails half-way costs that record alone: the next begins a segment of its own', async () => {
  let failing: 'write' | 'sync' | undefined
  const files = failingFiles(options.files, () => failing)
  const queue = await ForwardQueue.open({ ...options, files })
  await queue.append(one(1))
  failing = 'write'
  await expect(queue.append(one(2))).rejects.toMatchObject({ code: 'NO_SPACE' })
  failing = 'sync'
  await expect(queue.append(one(3))).rejects.toMatchObject({ code: 'NO_SPACE' })
  failing = undefined
  await queue.append(one(4))
  // What was written whole and not synced may come twice: its writer was told that it failed, and repeats it.
  expect((await drained(queue)).filter((i) => i !== 3)).toEqual([1, 4])
  expect(readdirSync(directory)).toEqual([])
  await queue.close()
})

/** Writes only half of what it is given, then fails, as a full disk does. */
function failingFiles(files: FileSystem, failing: () => 'write' | 'sync' | undefined): FileSystem {
  const fail = () => {
    throw new FileError('NO_SPACE', 'no space left')
  }
  return new Proxy(files, {
    get(target, key) {
      if (key !== 'open') return Reflect.get(target, key).bind?.(target)
      return async (...args: Parameters<FileSystem['open']>): Promise<File> => {
        const file = await target.open(...args)
        return new Proxy(file, {
          get(of, name) {
            if (name === 'write' && failing() === 'write') {
              return async (bytes: Uint8Array) => {
                await of.write(bytes.subarray(0, bytes.length >> 1))
                fail()
              }
            }
            if (name === 'sync' && failing() === 'sync') return async () => fail()
            const value = Reflect.get(of, name)
            return typeof value === 'function' ? value.bind(of) : value
          },
        })
      }
    },
  })
}
