/** The kernels of native/binding/src/codec.rs. Who calls them is packages/gorilla-codec. */
export interface CodecKernels {
  /** The CRC32C of `bytes[start, end)`, going on from `seed`. */
  crc32c(bytes: Uint8Array, start: number, end: number, seed: number): number
}

/** Their names, by which the loader sees that a binary was built from these sources. */
export const CODEC_KERNELS: readonly (keyof CodecKernels)[] = ['crc32c']
