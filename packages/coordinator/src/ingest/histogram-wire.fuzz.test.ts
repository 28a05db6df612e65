/** 20,000 histogram messages, most of them mutated: the same fields as protobufjs finds, or a refusal with a reason. */
import { histogramProblem } from '@varve/promql'
import { expect, it } from 'vitest'
import { type HistogramMessage, histogramCodec } from '../proto/messages.js'
import { expectedHistogram, hasEndlessVarint, histogramFields } from '../testing/protobuf-judge.js'
import { seeded } from '../testing/seeded.js'
import { mutate, randomHistogram } from '../testing/write-bodies.js'
import { FAULT, WireError } from '../wire-error.js'
import { decodeHistogram } from './histogram-wire.js'
import { reduceSchema } from './reduce-schema.js'

it('agrees with protobufjs on 20,000 messages', () => {
  const random = seeded(8)
  const bodies = Array.from({ length: 200 }, () => histogramCodec.encode(randomHistogram(random)).finish())
  const seen = { same: 0, both: 0, stricter: 0, sound: 0, unsound: 0 }
  for (let round = 0; round < 20_000; round++) {
    const pick = () => bodies[random.below(bodies.length)]
    const body = random.below(5) === 0 ? pick() : mutate(random, pick(), pick())
    const replay = `round ${round}: ${Buffer.from(body).toString('hex')}`
    const theirs = attempt(() => histogramCodec.decode(body))
    const ours = attempt(() => decodeHistogram(body, 0, body.length))
    if (ours instanceof Error) {
      expect(ours, replay).toBeInstanceOf(WireError)
      if (theirs instanceof Error) seen.both++
      else {
        // A known field of another type is an error to Go's code and to ours, an unknown field to protobufjs.
        const { fault } = ours as WireError
        const endless = fault === FAULT.VARINT && hasEndlessVarint(body)
        expect(
          [FAULT.WIRE_TYPE, FAULT.TAG, FAULT.GROUP, FAULT.FIELD_TOO_LONG].includes(fault as 11) || endless,
          replay,
        ).toBe(true)
        seen.stricter++
      }
      continue
    }
    expect(theirs, replay).not.toBeInstanceOf(Error)
    const message = theirs as HistogramMessage
    expect(ours.timestampMs, replay).toBe(Number(String(message.timestamp)))
    expect(histogramFields(ours.histogram), replay).toEqual(expectedHistogram(message))
    seen.same++
    // Whatever it is, the verdict is one or the other and not an exception.
    if (histogramProblem(reduceSchema(ours.histogram)) === undefined) seen.sound++
    else seen.unsound++
  }
  expect(seen.same).toBeGreaterThan(5000)
  expect(seen.both).toBeGreaterThan(2000)
  expect(seen.sound).toBeGreaterThan(3000)
  expect(seen.unsound).toBeGreaterThan(500)
})

it.each([
  ['a count that is not the sum', { countInt: 9 }, 'should equal the number of observations'],
  ['too few buckets', { positiveDeltas: [1] }, 'positive side: spans need 2 buckets, have 1 buckets'],
  [
    'a negative bucket',
    { positiveDeltas: [1, -3], countInt: -1 },
    'positive side: bucket number 2 has observation count of -2',
  ],
  [
    'a span that goes back',
    {
      positiveSpans: [
        { offset: 0, length: 1 },
        { offset: -1, length: 1 },
      ],
    },
    'span number 2 with offset -1',
  ],
  ['an unknown schema', { schema: 53 }, 'got schema 53'],
  ['bounds with an exponential schema', { customValues: [1] }, 'must not have custom bounds'],
  [
    'bounds that fall',
    { schema: -53, customValues: [2, 1], zeroCountInt: 0, zeroThreshold: 0 },
    'strictly increasing order',
  ],
  ['an infinite bound', { schema: -53, customValues: [1, Infinity] }, 'histogram custom bounds must be finite'],
  ['too few bounds', { schema: -53, customValues: [] }, 'histogram custom bounds are too few'],
  ['a zero bucket beside bounds', { schema: -53, customValues: [1, 2] }, 'must have zero count of 0'],
])('refuses %s, in the words of Prometheus', (_, change, text) => {
  const message = {
    countInt: 3,
    zeroCountInt: 1,
    sum: 4,
    schema: 0,
    positiveSpans: [{ offset: 0, length: 2 }],
    positiveDeltas: [1, 0],
    timestamp: 1,
  }
  const decode = (more: object) => {
    const bytes = histogramCodec.encode({ ...message, ...more }).finish()
    return decodeHistogram(bytes, 0, bytes.length).histogram
  }
  expect(histogramProblem(decode({}))).toBeUndefined()
  expect(histogramProblem(decode(change))).toContain(text)
})

it('reduces finer schemas to 8 and keeps every observation', () => {
  const message = {
    countInt: 10,
    zeroCountInt: 0,
    sum: 1,
    schema: 10,
    positiveSpans: [
      { offset: -3, length: 6 },
      { offset: 5, length: 2 },
    ],
    positiveDeltas: [1, 0, 0, 0, 0, 0, 1, 0],
    timestamp: 1,
  }
  const bytes = histogramCodec.encode(message).finish()
  const reduced = reduceSchema(decodeHistogram(bytes, 0, bytes.length).histogram)
  // Buckets -3..2 and 8, 9 of schema 10; four of them make one of schema 8: index ceil(i / 4).
  expect(reduced).toMatchObject({
    schema: 8,
    positiveSpans: [{ offset: 0, length: 4 }],
    positiveBuckets: Float64Array.of(4, 2, 2, 2),
  })
  expect(histogramProblem(reduced)).toBeUndefined()
})

function attempt<T>(run: () => T): T | Error {
  try {
    return run()
  } catch (error) {
    return error as Error
  }
}
