/** Both implementations by name, for benchmarks that set them side by side. Not part of the stable interface. */
import { nativeKernels } from '@varve/native'
import type { BatchCodec } from './batch-codec.js'
import { nativeCodec } from './native-codec.js'

export { type BatchCodec, gorillaSizeMax, typescriptCodec } from './batch-codec.js'
export { GorillaEncoder } from './gorilla.js'

/** The native codec, or undefined where it is not loaded. */
export function nativeBatchCodec(): BatchCodec | undefined {
  const kernels = nativeKernels()
  return kernels === undefined ? undefined : nativeCodec(kernels)
}
