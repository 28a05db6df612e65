/** The crash test must fail for a log whose checksums check nothing: the module that computes them is replaced here. */
import { expect, it, vi } from 'vitest'
import { lengthOfLife, survive } from './life.test.support.js'

vi.mock('@varve/gorilla-codec', async (original) => ({ ...(await original<object>()), crc32c: () => 0 }))

it('the crash test finds a log without checksums', async () => {
  const options = { syncMode: 'always' } as const
  const length = await lengthOfLife(1, options)
  const run = async () => {
    for (let index = 0; index < length; index++) {
      for (let state = 0; state < 10; state++) {
        const seed = 1 + state
        await survive({ seed, options, arrange: (simulation) => simulation.disk.crashAt(index), end: 'power' })
      }
    }
  }
  await expect(run()).rejects.toThrow(
    /never written|newer one|phantom|CORRUPT|names|bytes are wanted|cannot hold|unknown/,
  )
})
