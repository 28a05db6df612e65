/** Sends remote write 1.0 as a Prometheus would: the tests' own sender, so that they know what was acknowledged. */
import protobuf from 'protobufjs'
import { compress } from 'snappy'

const SCHEMA = `
  syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }
`
const WriteRequest = protobuf.parse(SCHEMA).root.lookupType('WriteRequest')

export interface WrittenSeries {
  /** With `__name__`; any order. */
  readonly labels: Readonly<Record<string, string>>
  readonly samples: readonly { readonly timestampMs: number; readonly value: number }[]
}

/** One request; resolves with its status and text. Rejects only when there was no answer. */
export async function remoteWrite(
  url: string,
  series: readonly WrittenSeries[],
): Promise<{ status: number; text: string }> {
  const message = {
    timeseries: series.map(({ labels, samples }) => ({
      labels: Object.keys(labels)
        .sort()
        .map((name) => ({ name, value: labels[name] })),
      samples: samples.map(({ timestampMs, value }) => ({ timestamp: timestampMs, value })),
    })),
  }
  const body = await compress(Buffer.from(WriteRequest.encode(WriteRequest.create(message)).finish()))
  const response = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '0.1.0',
    },
    body,
  })
  return { status: response.status, text: await response.text() }
}
