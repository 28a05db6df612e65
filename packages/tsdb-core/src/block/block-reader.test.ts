import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { File, FileSystem } from '../env/file-system.js'
import { nodeEnv } from '../env/node/index.js'
import { BlockReader } from './block-reader.js'
import { BlockWriter } from './block-writer.js'
import { lz4Compress, lz4Decompress } from './lz4.js'

const identity = { namespace: 'default', shard: 0, startMs: 0, endMs: 7_200_000, generation: 3 }

describe('LZ4 blocks', () => {
  it('come back as they went in', () => {
    const text = new TextEncoder().encode('instance="host-1:9100" '.repeat(300))
    for (const input of [
      new Uint8Array(0),
      Uint8Array.of(7),
      new Uint8Array(100_000),
      text,
      Uint8Array.from({ length: 70_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24),
    ]) {
      expect(lz4Decompress(lz4Compress(input), input.length)).toEqual(input)
    }
    expect(lz4Compress(text).length).toBeLessThan(text.length / 20)
  })

  it('that are damaged or lie about their length are refused', () => {
    const packed = lz4Compress(new TextEncoder().encode('abcdefgh'.repeat(50)))
    expect(() => lz4Decompress(packed, 399)).toThrow(/LZ4 block at byte/)
    expect(() => lz4Decompress(packed, 401)).toThrow(/LZ4 block at byte/)
    for (let length = 0; length < packed.length; length++) {
      expect(() => lz4Decompress(packed.subarray(0, length), 400)).toThrow(/LZ4 block at byte/)
    }
  })
})

describe('a block file', () => {
  it('is refused under the name of another block', async () => {
    const bytes = await smallBlock()
    for (const other of [{ shard: 1 }, { generation: 4 }, { namespace: 'other' }, { startMs: 1 }]) {
      expect(await problemsOf(bytes, other)).toHaveLength(1)
    }
  })
})

async function smallBlock(): Promise<Uint8Array> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'))
  try {
    const { files } = nodeEnv()
    const writer = await BlockWriter.create({ files, directory, identity, hasColumns: false, pause: () => undefined })
    const symbols = ['__name__', 'up', 'instance', 'a', 'b'].map((text) => writer.symbols.internText(text))
    for (const instance of [3, 4]) {
      writer.beginSeries(Uint32Array.of(symbols[0], symbols[1], symbols[2], symbols[instance]), 4)
      const times = Float64Array.from({ length: 20 }, (_, k) => k * 15_000)
      const values = Float64Array.from({ length: 20 }, (_, k) => Math.sin(k + instance))
      writer.addSamples(0, times, values, undefined, 20, false)
      await writer.endSeries()
    }
    const { fileName } = await writer.finish()
    return new Uint8Array(await readFile(join(directory, fileName)))
  } finally {
    await rm(directory, { recursive: true })
  }
}

async function problemsOf(bytes: Uint8Array, other: Partial<typeof identity> = {}): Promise<string[]> {
  const file: Pick<File, 'read' | 'size' | 'close'> = {
    async read(target, offset) {
      const part = bytes.subarray(offset, offset + target.length)
      target.set(part)
      return part.length
    },
    size: async () => bytes.length,
    close: async () => undefined,
  }
  const files = { open: async () => file } as unknown as FileSystem
  try {
    const reader = await BlockReader.open(files, '/block', { ...identity, ...other })
    return await reader.verify()
  } catch (error) {
    return [(error as Error).message]
  }
}
