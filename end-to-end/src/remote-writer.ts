/** Sends remote write 1.0 as a Prometheus would: the tests' own sender, so that they know what was acknowledged. */
import protobuf from 'protobufjs'
import { compress } from 'snappy'

const SCHEMA = `
  syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Histogram histograms = 4; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }
  message Histogram {
    uint64 count_int = 1; double count_float = 2; double sum = 3; sint32 schema = 4; double zero_threshold = 5;
    uint64 zero_count_int = 6; double zero_count_float = 7;
    repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated double negative_counts = 10;
    repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
    int32 reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16;
  }
  message BucketSpan { sint32 offset = 1; uint32 length = 2; }
`
// Fields keep the names of Prometheus' own schema.
const WriteRequest = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('WriteRequest')

export interface WrittenSeries {
  /** With `__name__`; any order. */
  readonly labels: Readonly<Record<string, string>>
  readonly samples: readonly { readonly timestampMs: number; readonly value: number }[]
  /** Native histograms as the fields of Prometheus' message `Histogram`. */
  readonly histograms?: readonly Readonly<Record<string, unknown>>[]
}

/** One request; resolves with its status and text. Rejects only when there was no answer. */
export async function remoteWrite(
  url: string,
  series: readonly WrittenSeries[],
): Promise<{ status: number; text: string }> {
  const message = {
    timeseries: series.map(({ labels, samples, histograms }) => ({
      labels: Object.keys(labels)
        .sort()
        .map((name) => ({ name, value: labels[name] })),
      samples: samples.map(({ timestampMs, value }) => ({ timestamp: timestampMs, value })),
      ...(histograms === undefined ? {} : { histograms }),
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
