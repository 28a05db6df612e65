import { expect, test } from 'vitest'
import { CODEC_KERNELS } from './codec.js'
import { INTERFACE_VERSION } from './interface.js'
import { loadNative } from './loader.js'

/** A binary that has every name. */
const binary = (version: number | undefined) =>
  new Proxy(
    {},
    {
      get: (_, name) => {
        if (name !== 'interfaceVersion') return () => 0
        return version === undefined ? undefined : () => version
      },
    },
  )
const notFound = () => {
  throw Object.assign(new Error('not there'), { code: 'MODULE_NOT_FOUND' })
}
const silent = (reason: string) => {
  throw new Error(`warned of ${reason}`)
}

test('off never looks for a binary', () => {
  const native = loadNative('off', () => {
    throw new Error('looked')
  })
  expect(native).toEqual({ kernels: undefined, status: { mode: 'off', loaded: false, reason: 'VARVE_NATIVE is off' } })
})

test('auto goes on without a binary and says why, require fails with the same reason', () => {
  expect(loadNative(undefined, notFound, silent).status).toEqual({
    mode: 'auto',
    loaded: false,
    reason: expect.stringMatching(/npm run build:native.*varve-native.*not there/),
  })
  expect(() => loadNative('require', notFound)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }))
})

test('takes the binary that stands beside src and dist first', () => {
  const native = loadNative('auto', () => binary(INTERFACE_VERSION), silent)
  expect(native.status.loaded).toBe(true)
  expect(native.status.source).toMatch(/^\.\.\/varve-native\..*\.node$/)
})

test('passes over a binary that lacks a kernel, and names it', () => {
  const warnings: string[] = []
  const native = loadNative(
    'auto',
    () => ({ interfaceVersion: () => INTERFACE_VERSION }),
    (reason) => warnings.push(reason),
  )
  expect(native.kernels).toBeUndefined()
  expect(native.status.reason).toContain(CODEC_KERNELS[0])
  expect(warnings).toEqual([expect.stringContaining(CODEC_KERNELS[0])])
})

test.each([undefined, INTERFACE_VERSION - 1, INTERFACE_VERSION + 1])(
  'passes over a binary of interface version %s, and warns',
  (version) => {
    const warnings: string[] = []
    const load = () => binary(version)
    const native = loadNative('auto', load, (reason) => warnings.push(reason))
    expect(native.kernels).toBeUndefined()
    const wanted = `interface version ${version ?? 'none'} instead of ${INTERFACE_VERSION}`
    expect(native.status.reason).toContain(wanted)
    expect(warnings).toEqual([expect.stringContaining(wanted)])
    expect(() => loadNative('require', load)).toThrow(wanted)
  },
)

test('warns of a binary that cannot be loaded, but not if another one can', () => {
  const warnings: string[] = []
  const broken = () => {
    throw Object.assign(new Error('invalid ELF header'), { code: 'ERR_DLOPEN_FAILED' })
  }
  expect(loadNative('auto', broken, (reason) => warnings.push(reason)).kernels).toBeUndefined()
  expect(warnings).toEqual([expect.stringContaining('invalid ELF header')])
  const installed = (source: string) => (source.startsWith('@') ? binary(INTERFACE_VERSION) : broken())
  expect(loadNative('auto', installed, silent).status.source).toMatch(/^@varve\/native-/)
})

test('an unknown setting is an error, not a default', () => {
  expect(() => loadNative('yes')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})
