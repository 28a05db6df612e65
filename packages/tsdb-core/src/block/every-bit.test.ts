/** Every bit of small blocks flipped, every truncation: answers are as written or samples are missing, and it is named. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { File, FileSystem } from '../env/file-system.js'
import { StorageError } from '../errors.js'
import { BlockReader } from './block-reader.js'
import { decode, type Golden, VECTORS } from './vectors.test.support.js'

describe('a damaged block', { timeout: 120_000 }, async () => {
  for (const name of (await readdir(VECTORS)).filter((file) => file.endsWith('.json'))) {
    const golden: Golden = JSON.parse(await readFile(join(VECTORS, name), 'utf8'))
    it(`gives no wrong answer, and is named: ${name}`, async () => {
      const path = join(VECTORS, golden.encoded)
      const bytes = new Uint8Array(await readFile(path))
      const whole = bytes.slice()
      expect(await problemsOf(golden, path, bytes)).toEqual({ wrong: [], named: [] })
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        bytes[bit >>> 3] ^= 1 << (bit & 7)
        const { wrong, named } = await problemsOf(golden, path, bytes)
        expect(wrong, `bit ${bit}`).toEqual([])
        expect(named[0], `bit ${bit}`).toMatch(/\.block.* at byte \d+: /)
        bytes[bit >>> 3] ^= 1 << (bit & 7)
      }
      for (let size = 0; size < bytes.length; size++) {
        const { wrong, named } = await problemsOf(golden, path, whole.subarray(0, size))
        expect(wrong, `${size} bytes`).toEqual([])
        expect(named.length, `${size} bytes`).toBeGreaterThan(0)
      }
    })
  }
})

/** Answers that are not as written or not warned of, and what a verification says. */
async function problemsOf(golden: Golden, path: string, bytes: Uint8Array) {
  const files = fileSystemOf(bytes)
  const warnings: string[] = []
  const found = await decode(golden, files, (message) => warnings.push(message)).catch(asCorrupt)
  const wrong: string[] = []
  if (typeof found !== 'string') {
    for (const series of found) {
      const written = golden.series.find(({ labels }) => labels.join('\0') === series.labels.join('\0'))
      // Of a series some chunks may be missing; what is there has the times and bits that were written.
      const samples = new Map(written?.timestamps.map((time, k) => [time, written.valueBits[k]]))
      const isPart = series.timestamps.every((time, k) => samples.get(time) === series.valueBits[k])
      const isWhole = JSON.stringify(written) === JSON.stringify(series)
      if (!isWhole && !(isPart && warnings.length > 0)) wrong.push(JSON.stringify(series))
    }
    if (found.length < golden.series.length && warnings.length === 0) wrong.push('series are missing without a word')
  }
  const named = await BlockReader.open(files, path, golden.identity).then((reader) => reader.verify(), asCorrupt)
  return { wrong, named: typeof named === 'string' ? [named] : named }
}

function asCorrupt(error: unknown): string {
  if (error instanceof StorageError && error.code === 'CORRUPT') return error.message
  throw error
}

/** A file system of one file. */
function fileSystemOf(bytes: Uint8Array): FileSystem {
  const file: Pick<File, 'read' | 'size' | 'close'> = {
    async read(target, offset) {
      const part = bytes.subarray(offset, offset + target.length)
      target.set(part)
      return part.length
    },
    size: async () => bytes.length,
    close: async () => undefined,
  }
  return { open: async () => file } as unknown as FileSystem
}
