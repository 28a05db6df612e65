/**
 * Finds the native binary and loads it, once. This is the only file that does.
 *
 * `VARVE_NATIVE=off` never looks for it, `auto` (the default) takes it where it is there, `require` fails without it.
 */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { CODEC_KERNELS, type CodecKernels } from './codec.js'
import { INGEST_KERNELS, type IngestKernels } from './ingest.js'
import { INTERFACE_VERSION } from './interface.js'
import { JSON_KERNELS, type JsonKernels } from './json.js'
import { QUERY_KERNELS, type QueryKernels } from './query.js'
import { WINDOW_KERNELS, type WindowKernels } from './windows.js'

/** All batch kernels that Rust offers; each has a TypeScript twin in the package that calls it. */
export type NativeKernels = CodecKernels & IngestKernels & JsonKernels & QueryKernels & WindowKernels

export type NativeMode = 'off' | 'auto' | 'require'

/** Whether the kernels are used, and why not. */
export interface NativeStatus {
  mode: NativeMode
  loaded: boolean
  /** The binary that was loaded. */
  source?: string
  /** Why there is none. */
  reason?: string
}

/** `VARVE_NATIVE` cannot be followed. */
export class NativeError extends Error {
  readonly code: 'INVALID_ARGUMENT' | 'UNAVAILABLE'
  constructor(code: 'INVALID_ARGUMENT' | 'UNAVAILABLE', message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'NativeError'
    this.code = code
  }
}

export interface LoadedNative {
  kernels: NativeKernels | undefined
  status: NativeStatus
}

/** Every kernel that a binary of this version has. A topic adds its list here. */
const KERNELS: readonly string[] = [
  ...CODEC_KERNELS,
  ...INGEST_KERNELS,
  ...JSON_KERNELS,
  ...QUERY_KERNELS,
  ...WINDOW_KERNELS,
]

const require = createRequire(import.meta.url)

/**
 * Loads the binary for this platform as `setting` says. The paths begin beside the package's `src` and `dist`, so the same
 * ones serve both. Where there is a binary that cannot be used, and no other, `warn` is told: nobody meant that.
 *
 * @throws {NativeError} `INVALID_ARGUMENT` for an unknown setting, `UNAVAILABLE` if the setting is `require` and there is none.
 */
export function loadNative(
  setting: string | undefined,
  load: (source: string) => unknown = require,
  warn: (reason: string) => void = emitWarning,
): LoadedNative {
  const mode = setting === undefined || setting === '' ? 'auto' : setting
  if (mode !== 'off' && mode !== 'auto' && mode !== 'require') {
    throw new NativeError('INVALID_ARGUMENT', `VARVE_NATIVE is ${mode}, wanted off, auto or require`)
  }
  if (mode === 'off') return { kernels: undefined, status: { mode, loaded: false, reason: 'VARVE_NATIVE is off' } }
  const reasons: string[] = []
  const unfit: string[] = []
  for (const source of sources()) {
    try {
      const kernels = load(source) as Record<string, unknown>
      const problem = problemOf(kernels)
      if (problem === undefined) {
        return { kernels: kernels as unknown as NativeKernels, status: { mode, loaded: true, source } }
      }
      unfit.push(`${placeOf(source)}: ${problem}`)
      reasons.push(`${source}: ${problem}`)
    } catch (error) {
      const problem = error instanceof Error ? error.message.split('\n')[0] : String(error)
      reasons.push(`${source}: ${problem}`)
      if ((error as NodeJS.ErrnoException | undefined)?.code !== 'MODULE_NOT_FOUND') {
        unfit.push(`${placeOf(source)}: ${problem}`)
      }
    }
  }
  const reason = `no native kernels for ${process.platform} ${process.arch} (npm run build:native builds them): ${reasons.join('; ')}`
  if (mode === 'require') throw new NativeError('UNAVAILABLE', `VARVE_NATIVE is require, but there are ${reason}`)
  if (unfit.length > 0) {
    warn(`${unfit.join('; ')}. TypeScript does the work instead, more slowly: build it again (npm run build:native)`)
  }
  return { kernels: undefined, status: { mode, loaded: false, reason } }
}

/** Why a binary was not built from these sources. */
function problemOf(kernels: Record<string, unknown>): string | undefined {
  const { interfaceVersion } = kernels
  const version = typeof interfaceVersion === 'function' ? interfaceVersion() : 'none'
  const missing = KERNELS.filter((name) => typeof kernels[name] !== 'function')
  if (version === INTERFACE_VERSION && missing.length === 0) return undefined
  const lacks = missing.length > 0 ? `, and without ${missing.join(', ')}` : ''
  return `built from other sources, with interface version ${version} instead of ${INTERFACE_VERSION}${lacks}`
}

function placeOf(source: string): string {
  return source.startsWith('.') ? fileURLToPath(new URL(source, import.meta.url)) : source
}

function emitWarning(reason: string): void {
  process.emitWarning(reason, { type: 'VarveNative', code: 'VARVE_NATIVE_UNFIT' })
}

/** Where a binary may be: built here, or installed as the package of this platform. */
function sources(): string[] {
  const { platform, arch } = process
  const flavours = platform === 'linux' ? ['-gnu', '-musl'] : platform === 'win32' ? ['-msvc'] : ['']
  const triples = flavours.map((flavour) => `${platform}-${arch}${flavour}`)
  return [
    ...triples.map((triple) => `../varve-native.${triple}.node`),
    ...triples.map((triple) => `@varve/native-${triple}`),
  ]
}
