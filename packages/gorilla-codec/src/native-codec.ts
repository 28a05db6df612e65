/** The batch codec of the Rust kernels: the same calls, and their failures as the errors that TypeScript throws. */
import { codecFailure, type NativeKernels, nativeKernels } from '@varve/native'
import { type BatchCodec, typescriptCodec } from './batch-codec.js'
import { CodecError } from './errors.js'

type Batch = Exclude<keyof BatchCodec, 'name'>

/** A `BatchCodec` over the kernels. */
export function nativeCodec(kernels: NativeKernels): BatchCodec {
  const codec = { name: 'native' } as Record<string, unknown>
  for (const batch of Object.keys(typescriptCodec) as (Batch | 'name')[]) {
    if (batch === 'name') continue
    // Each kernel has its twin's parameters; here they are passed on as they came.
    const kernel = kernels[batch] as (...parameters: unknown[]) => number
    codec[batch] = (...parameters: unknown[]): number => {
      let result: number
      try {
        result = kernel(...parameters)
      } catch (error) {
        throw new CodecError('INVALID_ARGUMENT', `${batch}: ${(error as Error).message}`, -1, { cause: error })
      }
      const failure = codecFailure(result)
      if (failure === undefined) return result
      throw explained(batch, parameters, new CodecError(failure.code, `${batch} failed`, failure.bitOffset))
    }
  }
  return codec as unknown as BatchCodec
}

/** The same error with TypeScript's message, which says what was found and what was wanted: bad input is rare, so it may cost. */
function explained(batch: Batch, parameters: unknown[], error: CodecError): CodecError {
  try {
    const twin = typescriptCodec[batch] as (...parameters: unknown[]) => number
    twin(...parameters)
  } catch (reference) {
    if (reference instanceof CodecError && reference.code === error.code && reference.bitOffset === error.bitOffset) {
      return reference
    }
  }
  return error
}

let chosen: BatchCodec | undefined

/** The codec that batches go through: native where it is loaded, TypeScript otherwise. `nativeStatus()` says which. */
export function batchCodec(): BatchCodec {
  if (chosen === undefined) {
    const kernels = nativeKernels()
    chosen = kernels === undefined ? typescriptCodec : nativeCodec(kernels)
  }
  return chosen
}
