/** Reads the vectors of vectors/chunk, which belong to no language: values as bits, numbers as strings. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export type ChunkFormat = 'sealed-values' | 'sealed-timestamps' | 'gorilla' | 'xor-chunk'

export interface GoldenVector {
  name: string
  format: ChunkFormat
  timestampsMs: Float64Array
  values: Float64Array
  encoded: Uint8Array
}

export interface RejectVector {
  name: string
  format: ChunkFormat
  bytes: Uint8Array
  code: string
  bitOffset: number
}

/** The folder of the chunk vectors. */
export const VECTOR_FOLDER = fileURLToPath(new URL('../../../../vectors/chunk/', import.meta.url))

export function goldenVectors(): GoldenVector[] {
  return documentsIn('').map((document) => {
    const bits = BigUint64Array.from(list(document.valueBits), BigInt)
    return {
      name: document.name as string,
      format: document.format as ChunkFormat,
      timestampsMs: Float64Array.from(list(document.timestamps), Number),
      values: new Float64Array(bits.buffer),
      encoded: new Uint8Array(readFileSync(`${VECTOR_FOLDER}${document.encoded}`)),
    }
  })
}

export function rejectVectors(): RejectVector[] {
  return documentsIn('reject/').map((document) => ({
    name: document.name as string,
    format: document.format as ChunkFormat,
    bytes: new Uint8Array(readFileSync(`${VECTOR_FOLDER}reject/${document.encoded}`)),
    code: document.code as string,
    bitOffset: Number(document.bitOffset),
  }))
}

function documentsIn(folder: string): Record<string, unknown>[] {
  const names = readdirSync(VECTOR_FOLDER + folder).filter((name) => name.endsWith('.json'))
  return names.sort().map((name) => JSON.parse(readFileSync(VECTOR_FOLDER + folder + name, 'utf8')))
}

function list(field: unknown): string[] {
  return (field ?? []) as string[]
}
