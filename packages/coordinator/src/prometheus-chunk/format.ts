/** Numbers of Prometheus' chunk encodings, in its blocks and in streamed remote read. */
export const CHUNK_ENCODING_XOR = 1
export const CHUNK_ENCODING_HISTOGRAM = 2
export const CHUNK_ENCODING_FLOAT_HISTOGRAM = 3

export type ChunkErrorCode =
  | 'CORRUPT' // bits that end early or contradict themselves
  | 'UNSUPPORTED' // an encoding that is not known here

export class ChunkError extends Error {
  readonly code: ChunkErrorCode
  constructor(code: ChunkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ChunkError'
    this.code = code
  }
}
