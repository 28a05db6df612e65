/** CRC32C by whoever is faster: the processor's own instruction in the native module, or tables in TypeScript. */
import { nativeKernels } from '@varve/native'
import { crc32c as crc32cOfTables } from './crc32c.js'

/** Below this the call into the native module costs more than it saves. */
const NATIVE_SIZE_BYTES_MIN = 256

/**
 * The checksum of `bytes[start, end)`, as an unsigned 32-bit number.
 *
 * `seed` is the checksum of what came before, so that pieces can be chained: `crc32c(b, 0, n, crc32c(a, 0, m))` is the
 * checksum of a followed by b. Cost: about 1 ns a byte in TypeScript, 0.1 ns with the native module.
 * @throws {CodecError} `INVALID_ARGUMENT` if the range is not inside the bytes.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  if (end - start < NATIVE_SIZE_BYTES_MIN || !(start >= 0 && end <= bytes.length)) {
    return crc32cOfTables(bytes, start, end, seed)
  }
  const kernels = nativeKernels()
  return kernels === undefined ? crc32cOfTables(bytes, start, end, seed) : kernels.crc32c(bytes, start, end, seed)
}
