/** Remote write bodies for tests: generated at random, encoded by protobufjs. */
import { writeRequestCodec, writeRequestV2Codec } from '../proto/messages.js'
import type { Seeded } from './seeded.js'

export interface TestSample {
  value: number
  timestamp: number
  startTimestamp?: number
}

export interface TestSeries {
  labels: [string, string][]
  samples: TestSample[]
  exemplars?: { labels: [string, string][]; value: number; timestamp: number }[]
  histograms?: object[]
  metadata?: { type: number; help: string; unit: string }
}

export function bodyV1(series: readonly TestSeries[], metadata: object[] = []): Uint8Array {
  const named = (labels: [string, string][]) => labels.map(([name, value]) => ({ name, value }))
  const timeseries = series.map(({ labels, samples, exemplars = [], histograms = [] }) => ({
    labels: named(labels),
    samples,
    exemplars: exemplars.map((exemplar) => ({ ...exemplar, labels: named(exemplar.labels) })),
    histograms,
  }))
  return writeRequestCodec.encode({ timeseries, metadata }).finish()
}

export function bodyV2(series: readonly TestSeries[]): Uint8Array {
  const symbols = new Map([['', 0]])
  const ref = (text: string) => {
    if (!symbols.has(text)) symbols.set(text, symbols.size)
    return symbols.get(text) as number
  }
  const refs = (labels: [string, string][]) => labels.flatMap(([name, value]) => [ref(name), ref(value)])
  const timeseries = series.map(({ labels, samples, exemplars = [], histograms = [], metadata }) => ({
    labelsRefs: refs(labels),
    samples,
    histograms,
    exemplars: exemplars.map(({ labels: own, ...rest }) => ({ ...rest, labelsRefs: refs(own) })),
    ...(metadata
      ? { metadata: { type: metadata.type, helpRef: ref(metadata.help), unitRef: ref(metadata.unit) } }
      : {}),
  }))
  return writeRequestV2Codec.encode({ symbols: [...symbols.keys()], timeseries }).finish()
}

/** Like a scrape of a few targets: the same series each time for the same `target`, values and times vary. */
export function randomSeries(random: Seeded, count: number): TestSeries[] {
  const target = random.below(4)
  return Array.from({ length: count }, (_, i) => {
    const labels: [string, string][] = [
      ['__name__', `metric_${i % 7}`],
      ['instance', `host-${target}:9100`],
      ['path', 'x'.repeat((i * 37) % 190)],
      ['zone', `é${i}`],
    ]
    return {
      labels: labels.filter(([, value]) => value !== ''),
      samples: Array.from({ length: random.below(8) === 0 ? random.below(4) : 1 }, () => ({
        value: randomValue(random),
        timestamp: randomTimestamp(random),
      })),
      exemplars:
        random.below(10) === 0 ? [{ labels: [['trace_id', 'abc']], value: 1.5, timestamp: 1_700_000_000_000 }] : [],
      histograms: random.below(10) === 0 ? [randomHistogram(random)] : [],
    } satisfies TestSeries
  })
}

export function randomValue(random: Seeded): number {
  switch (random.below(6)) {
    case 0:
      return 0
    case 1:
      return Number.NaN
    case 2:
      return -random.u32() / 7
    case 3:
      return Infinity
    default:
      return random.below(100_000)
  }
}

function randomTimestamp(random: Seeded): number {
  const plain = 1_700_000_000_000 + random.below(1_000_000_000)
  return [plain, plain, plain, plain, 0, -random.below(1e9), random.below(1e6), 2 ** 52][random.below(8)]
}

/** Of integers or floats; exponential, of one side or both, or with custom bounds; sound by Prometheus' rules. */
export function randomHistogram(random: Seeded): object {
  const integer = random.below(2) === 0
  const custom = random.below(4) === 0
  const positive = randomSide(random, custom ? 0 : -10)
  const negative = custom || random.below(2) === 0 ? { spans: [], counts: [] } : randomSide(random, -10)
  const zero = custom ? 0 : random.below(9)
  const total = [...positive.counts, ...negative.counts].reduce((sum, count) => sum + count, zero)
  const reach = positive.spans.reduce((sum, { offset, length }) => sum + offset + length, 0)
  const deltas = (counts: number[]) => counts.map((count, i) => count - (i === 0 ? 0 : counts[i - 1]))
  return {
    ...(integer ? { countInt: total, zeroCountInt: zero } : { countFloat: total, zeroCountFloat: zero }),
    sum: random.below(12) === 0 ? Number.NaN : random.below(1000) / 3,
    schema: custom ? -53 : random.below(13) - 4,
    zeroThreshold: custom ? 0 : 1e-5,
    negativeSpans: negative.spans,
    positiveSpans: positive.spans,
    ...(integer
      ? { positiveDeltas: deltas(positive.counts), negativeDeltas: deltas(negative.counts) }
      : { positiveCounts: positive.counts, negativeCounts: negative.counts }),
    customValues: custom ? Array.from({ length: reach + random.below(3) }, (_, i) => i * 2.5 - 3) : [],
    resetHint: random.below(4),
    timestamp: 1_700_000_000_000 + random.below(1000),
    startTimestamp: random.below(6) === 0 ? 1_600_000_000_000 : 0,
  }
}

function randomSide(
  random: Seeded,
  offsetMin: number,
): { spans: { offset: number; length: number }[]; counts: number[] } {
  const spans = Array.from({ length: 1 + random.below(3) }, (_, i) => ({
    offset: i === 0 ? offsetMin + random.below(20) : random.below(5),
    length: 1 + random.below(6),
  }))
  const bucketCount = spans.reduce((sum, { length }) => sum + length, 0)
  return { spans, counts: Array.from({ length: bucketCount }, () => random.below(50)) }
}

/** One to four changes of the kind that attackers and bad cables make. */
export function mutate(random: Seeded, body: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes = Uint8Array.from(body)
  for (let rounds = 1 + random.below(4); rounds > 0; rounds--) {
    const at = random.below(bytes.length)
    switch (random.below(6)) {
      case 0:
        bytes[at] ^= 1 << random.below(8)
        break
      case 1:
        bytes[at] = random.below(256)
        break
      case 2:
        bytes = bytes.slice(0, at)
        break
      case 3: {
        const from = random.below(other.length)
        const piece = other.subarray(from, from + random.below(64))
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...piece, ...bytes.subarray(at)])
        break
      }
      case 4:
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1 + random.below(16))])
        break
      default:
        bytes.fill([0x00, 0x80, 0xff, 0x0a, 0x12][random.below(5)], at, at + 1 + random.below(12))
    }
    if (bytes.length === 0) return bytes
  }
  return bytes
}
