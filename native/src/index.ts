import { type LoadedNative, loadNative, type NativeKernels, type NativeStatus } from './loader.js'

export {
  type CodecFailure,
  type CodecKernels,
  codecFailure,
  type DecodeChunks,
  type DecodeColumnRun,
  type DecodeColumns,
  type DecodeRuns,
  type EncodeChunks,
  type EncodeColumnRun,
  type EncodeColumns,
  type EncodeLanes,
} from './codec.js'
export type { IngestKernels } from './ingest.js'
export type { JsonKernels } from './json.js'
export { NativeError, type NativeKernels, type NativeMode, type NativeStatus } from './loader.js'
export { QUERY_FOLDS, QUERY_FUNCTIONS, type QueryKernels, type SealedArguments } from './query.js'
export type { WindowKernels } from './windows.js'

let loaded: LoadedNative | undefined

function native(): LoadedNative {
  loaded ??= loadNative(process.env.VARVE_NATIVE)
  return loaded
}

/**
 * The Rust kernels, or undefined where there are none: then the caller's own TypeScript does the work.
 *
 * @throws {NativeError} if `VARVE_NATIVE` is `require` and there are none, or is no known setting.
 */
export function nativeKernels(): NativeKernels | undefined {
  return native().kernels
}

/** Whether the Rust kernels are used, from which file, and why not. */
export function nativeStatus(): NativeStatus {
  return native().status
}
