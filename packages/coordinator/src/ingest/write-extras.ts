/**
 * What of a write request is not a plain sample: exemplars and metadata, decoded from the spans that the scan has listed.
 */
import { Labels } from '@varve/tsdb-core/model'
import { EXEMPLAR_LABELS_SIZE_MAX, type Exemplar } from '../exemplars/exemplar-store.js'
import { METADATA_HELP_SIZE_MAX, METRIC_TYPES, type MetricMetadata } from '../metadata/metadata-store.js'
import { FAULT, WireError } from '../wire-error.js'
import { ProtobufReader } from './protobuf-reader.js'
import { SYMBOL_STRIDE, type WriteColumns } from './write-columns.js'
import type { WriteVersion } from './write-scanner.js'

/** What is longer is refused or cut in any script, so no more of a symbol is read: each of 50,000 may name one of 16 MiB. */
const EXEMPLAR_SIZE_BYTES_READ = 4 * (EXEMPLAR_LABELS_SIZE_MAX + 1)
const METADATA_SIZE_BYTES_READ = 4 * (METADATA_HELP_SIZE_MAX + 1)
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Exemplar: 1 labels (messages; in 2.0 symbol references)   2 value   3 timestamp.
 *
 * @throws {WireError} for bytes that are not protobuf or a symbol that is not there.
 */
export function decodeExemplar(reader: ProtobufReader, version: WriteVersion, symbols: Symbols): Exemplar {
  let value = 0
  let timestampMs = 0
  const pairs: [string, string][] = []
  const references: number[] = []
  while (reader.next()) {
    if (reader.field === 1 && version === 1) pairs.push(decodeLabel(reader))
    else if (reader.field === 1) reader.varints(references, 'uint32')
    else if (reader.field === 2) value = reader.double()
    else if (reader.field === 3) timestampMs = reader.int64()
    else reader.skip()
  }
  if (references.length % 2 !== 0) throw WireError.of(FAULT.ODD_LABEL_REFERENCES, reader.end)
  let size = 0
  for (let i = 0; i < references.length; i += 2) {
    const nameSize = symbols.sizeBytes(references[i], reader.end)
    const valueSize = symbols.sizeBytes(references[i + 1], reader.end)
    // A label without a value is none.
    if (valueSize === 0 || size > EXEMPLAR_SIZE_BYTES_READ) continue
    size += nameSize + valueSize
    pairs.push([
      symbols.text(references[i], Math.min(nameSize, EXEMPLAR_SIZE_BYTES_READ)),
      symbols.text(references[i + 1], Math.min(valueSize, EXEMPLAR_SIZE_BYTES_READ)),
    ])
  }
  return { labels: labelsOf(pairs), value, timestampMs }
}

/** Remote write 1.0: 1 type   2 family   4 help   5 unit. */
export function decodeMetadataV1(reader: ProtobufReader): { family: string; metadata: MetricMetadata } {
  let type = 0
  let family = ''
  let help = ''
  let unit = ''
  while (reader.next()) {
    if (reader.field === 1) type = reader.uint()
    else if (reader.field === 2) family = text(reader)
    else if (reader.field === 4) help = text(reader)
    else if (reader.field === 5) unit = text(reader)
    else reader.skip()
  }
  return { family, metadata: { type: METRIC_TYPES[type] ?? 'unknown', help, unit } }
}

/** Remote write 2.0: 1 type   3 help reference   4 unit reference. The family is the series' metric name. */
export function decodeMetadataV2(reader: ProtobufReader, symbols: Symbols): MetricMetadata {
  let type = 0
  let help = 0
  let unit = 0
  while (reader.next()) {
    if (reader.field === 1) type = reader.uint()
    else if (reader.field === 3) help = reader.uint()
    else if (reader.field === 4) unit = reader.uint()
    else reader.skip()
  }
  return {
    type: METRIC_TYPES[type] ?? 'unknown',
    help: symbols.text(help, Math.min(METADATA_SIZE_BYTES_READ, symbols.sizeBytes(help, reader.end))),
    unit: symbols.text(unit, Math.min(METADATA_SIZE_BYTES_READ, symbols.sizeBytes(unit, reader.end))),
  }
}

/** The symbol table of one 2.0 request. */
export class Symbols {
  readonly #bytes: Uint8Array
  readonly #columns: WriteColumns
  readonly #count: number

  constructor(bytes: Uint8Array, columns: WriteColumns, count: number) {
    this.#bytes = bytes
    this.#columns = columns
    this.#count = count
  }

  /** @throws {WireError} when there is no such symbol; `offset` tells where it was asked for. */
  sizeBytes(reference: number, offset: number): number {
    if (reference >= this.#count) throw WireError.of(FAULT.SYMBOL_RANGE, offset)
    return this.#columns.symbols[reference * SYMBOL_STRIDE + 1]
  }

  /** The first `sizeBytes` of a symbol that is there. */
  text(reference: number, sizeBytes: number): string {
    const at = this.#columns.symbols[reference * SYMBOL_STRIDE]
    return sizeBytes === 0 ? '' : decoder.decode(this.#bytes.subarray(at, at + sizeBytes))
  }
}

/**
 * The metric family of a 2.0 series: its name, without the suffix that the series of a family of this type have.
 */
export function familyOf(name: string, metadata: MetricMetadata): string {
  const suffixes =
    metadata.type === 'histogram' || metadata.type === 'gaugehistogram'
      ? ['_bucket', '_count', '_sum']
      : metadata.type === 'summary'
        ? ['_count', '_sum']
        : []
  const suffix = suffixes.find((end) => name.endsWith(end))
  return suffix === undefined ? name : name.slice(0, -suffix.length)
}

function decodeLabel(reader: ProtobufReader): [string, string] {
  const { at, end } = reader.span()
  const label = new ProtobufReader(reader.bytes, at, end)
  let name = ''
  let value = ''
  while (label.next()) {
    if (label.field === 1) name = text(label)
    else if (label.field === 2) value = text(label)
    else label.skip()
  }
  return [name, value]
}

/** Exemplar labels are shown and never looked up, so of a name that comes twice the last value stays. */
function labelsOf(pairs: readonly [string, string][]): Labels {
  return Labels.from(new Map(pairs))
}

function text(reader: ProtobufReader): string {
  const { at, end } = reader.span()
  return decoder.decode(reader.bytes.subarray(at, end))
}
