/** How small columns become: by metric family of the fleet, and on the ten series of M3's own benchmark. */
import { readFileSync } from 'node:fs'
import {
  decodeSealedValues,
  encodeSealedTimestamps,
  encodeSealedValues,
  sealedValuesSizeMax,
} from '@varve/gorilla-codec'
import type { Benchmark, BenchmarkSize, PreparedBenchmark } from '../benchmark.js'
import { Fleet } from '../fleet/fleet.js'
import { checkBits } from './dataset.js'

function prepareFamilies(size: BenchmarkSize): PreparedBenchmark {
  const fleet = new Fleet(size === 'small' ? { hosts: 1, steps: 40 } : { hosts: 20, steps: 480 })
  const families = new Map<string, { bytes: number; samples: number }>()
  const all = { bytes: 0, samples: 0 }
  fleet.series.forEach(({ family }, index) => {
    const values = fleet.values(index)
    const bytes = sizeOf(values)
    if (!families.has(family)) families.set(family, { bytes: 0, samples: 0 })
    for (const sum of [families.get(family)!, all]) {
      sum.bytes += bytes
      sum.samples += values.length
    }
  })
  const facts: Record<string, number | string> = {
    'all values, headers included, bytes/sample': all.bytes / all.samples,
  }
  for (const [family, { bytes, samples }] of families) {
    const share = ((100 * bytes) / all.bytes).toFixed(1)
    facts[`${family}, bytes/sample (${share} % of all bytes)`] = bytes / samples
  }
  return { count: all.samples, unit: 'sample', facts }
}

function sizeOf(values: Float64Array): number {
  const bytes = new Uint8Array(sealedValuesSizeMax(values.length))
  const end = encodeSealedValues(values, 0, values.length, bytes, 0)
  const back = new Float64Array(values.length)
  decodeSealedValues(bytes, 0, end, back, 0)
  checkBits('sealed values', back, values)
  return end
}

const M3_SERIES = process.env.VARVE_M3_SERIES

/** The series as M3's benchmark has them; `VARVE_M3_SERIES` names the file. */
function prepareM3(): PreparedBenchmark {
  const document = JSON.parse(readFileSync(M3_SERIES!, 'utf8')) as {
    totalM3tszBytes: number
    series: { name: string; timestampsNs: string[]; valueBits: string[]; m3tszBytes: number }[]
  }
  const facts: Record<string, number | string> = {}
  let bytes = 0
  let samples = 0
  for (const { name, timestampsNs, valueBits, m3tszBytes } of document.series) {
    const timestampsMs = Float64Array.from(timestampsNs, (text) => Number(BigInt(text) / 1_000_000n))
    const values = new Float64Array(BigUint64Array.from(valueBits, BigInt).buffer)
    const out = new Uint8Array(sealedValuesSizeMax(values.length))
    const size = sizeOf(values) + encodeSealedTimestamps(timestampsMs, 0, timestampsMs.length, out, 0)
    facts[`${name}, bytes (M3TSZ ${m3tszBytes})`] = size
    bytes += size
    samples += values.length
  }
  return {
    count: samples,
    unit: 'sample',
    facts: {
      'bytes/sample, timestamps and headers included': bytes / samples,
      'M3TSZ, bytes/sample': document.totalM3tszBytes / samples,
      ...facts,
    },
  }
}

export const sizeBenchmarks: Benchmark[] = [
  { name: 'codec/size/fleet-15s-2h/sealed', prepare: prepareFamilies },
  {
    name: 'codec/size/m3-series/sealed',
    unavailable: M3_SERIES === undefined ? 'VARVE_M3_SERIES names no file' : undefined,
    prepare: prepareM3,
  },
]
