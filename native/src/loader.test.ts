import { expect, test } from 'vitest'
import { CODEC_KERNELS } from './codec.js'
import { loadNative } from './loader.js'

const complete = new Proxy({}, { get: () => () => 0 })

test('off never looks for a binary', () => {
  const native = loadNative('off', () => {
    throw new Error('looked')
  })
  expect(native).toEqual({ kernels: undefined, status: { mode: 'off', loaded: false, reason: 'VARVE_NATIVE is off' } })
})

test('auto goes on without a binary and says why, require fails with the same reason', () => {
  const load = () => {
    throw new Error('not there')
  }
  expect(loadNative(undefined, load).status).toEqual({
    mode: 'auto',
    loaded: false,
    reason: expect.stringMatching(/npm run build:native.*varve-native.*not there/),
  })
  expect(() => loadNative('require', load)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }))
})

test('takes the binary that stands beside src and dist first', () => {
  const native = loadNative('auto', () => complete)
  expect(native.status.loaded).toBe(true)
  expect(native.status.source).toMatch(/^\.\.\/varve-native\..*\.node$/)
})

test('passes over a binary that lacks a kernel, and names it', () => {
  const native = loadNative('auto', () => ({}))
  expect(native.kernels).toBeUndefined()
  expect(native.status.reason).toContain(CODEC_KERNELS[0])
})

test('an unknown setting is an error, not a default', () => {
  expect(() => loadNative('yes')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})
