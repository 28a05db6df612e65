import { addAbortListener } from 'node:events'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it } from 'vitest'
import { Cancellation } from './cancellation.js'

describe('a cancellation', () => {
  it('tells its listeners once, with the first reason', () => {
    const cancellation = new Cancellation()
    const heard: string[] = []
    cancellation.onabort = () => heard.push('onabort')
    cancellation.addEventListener('abort', () => heard.push('listener'))
    addAbortListener(cancellation, () => heard.push('node'))
    const left = () => heard.push('left')
    cancellation.addEventListener('abort', left)
    cancellation.removeEventListener('abort', left)
    expect(cancellation.aborted).toBe(false)
    expect(() => cancellation.throwIfAborted()).not.toThrow()

    const reason = new Error('enough')
    cancellation.abort(reason)
    cancellation.abort(new Error('again'))
    expect(heard).toEqual(['onabort', 'listener', 'node'])
    expect(cancellation.aborted).toBe(true)
    expect(cancellation.reason).toBe(reason)
    expect(() => cancellation.throwIfAborted()).toThrow('enough')
  })

  it("ends what takes Node's own signals", async () => {
    const cancellation = new Cancellation()
    const endless = Readable.from(
      (async function* () {
        for (;;) yield 'x'
      })(),
    )
    const slow = new Writable({ write: (_chunk, _encoding, done) => void setImmediate(done) })
    const piped = pipeline(endless, slow, { signal: cancellation })
    cancellation.abort(new Error('the client has gone'))
    await expect(piped).rejects.toMatchObject({ name: 'AbortError' })
  })
})
