/** Golden and reject vectors of histogram chunks: vectors/histogram-chunk. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type GoldenHistogram, goldenOf, histogramOf } from '../block/vectors.test.support.js'
import { decodeHistogramChunk, encodeHistogramChunk } from './histogram-chunk.js'

const FOLDER = new URL('../../../../vectors/histogram-chunk/', import.meta.url)

interface Vector {
  readonly encoded: string
}

interface Golden extends Vector {
  readonly histograms: readonly Omit<GoldenHistogram, 'timestamp' | 'startTimestamp'>[]
}

interface Reject extends Vector {
  readonly code: string
  readonly message: string
}

function vectors<T extends Vector>(folder: URL): [name: string, document: T, bytes: Uint8Array][] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return names.map((name) => {
    const document = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as T
    return [name, document, new Uint8Array(readFileSync(new URL(document.encoded, folder)))]
  })
}

describe('golden histogram chunks', () => {
  it.each(vectors<Golden>(FOLDER))('%s', (_name, { histograms }, bytes) => {
    expect(encodeHistogramChunk(histograms.map(histogramOf))).toEqual(bytes)
    expect(decodeHistogramChunk(bytes).map(goldenOf)).toEqual(histograms)
  })
})

describe('rejected histogram chunks', () => {
  it.each(vectors<Reject>(new URL('reject/', FOLDER)))('%s', (_name, { code, message }, bytes) => {
    expect(() => decodeHistogramChunk(bytes)).toThrow(expect.objectContaining({ code, message }))
  })
})
