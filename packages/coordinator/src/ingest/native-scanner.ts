/** The scanner in Rust: one call a request, over the same scratch, columns and label cache as its twin in TypeScript. */
import { nativeKernels } from '@varve/native'
import { typescriptScanner, type WriteScanner } from './write-scanner.js'

const parameters = new Uint32Array(11)

/** The native scanner, or undefined where the native module is not there. */
export function nativeScanner(): WriteScanner | undefined {
  const kernels = nativeKernels()
  if (kernels === undefined) return undefined
  return {
    name: 'native',
    scan({ version, body, decodedSize, scratch, cache, columns, limits }) {
      if (version === 2) columns.reserveSymbols()
      parameters[0] = limits.seriesCountMax
      parameters[1] = limits.sampleCountMax
      parameters[2] = limits.extraCountMax
      parameters[3] = limits.symbolCountMax
      parameters[4] = limits.decodedSizeBytesMax
      parameters[5] = limits.labelSizeBytesMax
      parameters[6] = cache.seed
      parameters[7] = cache.lastEntry
      parameters[8] = limits.labelTotalMax
      parameters[9] = limits.idleFieldCountMax
      parameters[10] = decodedSize === undefined ? 0 : decodedSize + 1
      kernels.scanWrite(
        version,
        body,
        scratch.bytes,
        parameters,
        cache.slots,
        cache.entries,
        cache.arena,
        columns.status,
        columns.seriesRefs,
        columns.timestampsMs,
        columns.values,
        columns.startTimestampsMs,
        columns.unknowns,
        columns.extras,
        columns.symbols,
      )
    },
  }
}

/** Native where it is there, else TypeScript. */
export function bestScanner(): WriteScanner {
  return nativeScanner() ?? typescriptScanner
}
