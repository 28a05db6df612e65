import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { nodeHttpClient } from './http-client.js'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function serve(answer: (response: ServerResponse) => void): Promise<string> {
  const server: Server = createServer((_, response) => answer(response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push({ close: () => server.closeAllConnections() ?? server.close() })
  return `http://user:secret@127.0.0.1:${(server.address() as AddressInfo).port}/a?token=secret`
}

function client() {
  const http = nodeHttpClient()
  open.push(http)
  return http
}

test('a byte now and then does not extend the time for all of it', async () => {
  const url = await serve((response) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write('.'), 20)
    response.once('close', () => clearInterval(timer))
  })
  const startedMs = Date.now()
  const text = async () => (await client().request({ method: 'GET', url, timeoutMs: 5_000, totalMs: 300 })).text()
  await expect(text()).rejects.toMatchObject({ code: 'TIMEOUT', message: expect.stringMatching(/300 ms$/) })
  expect(Date.now() - startedMs).toBeLessThan(5_000)
})

test('no answer at all is a timeout that says how long was waited, and tells no secret', async () => {
  const url = await serve(() => {})
  const asked = client().request({ method: 'GET', url, timeoutMs: 100 })
  await expect(asked).rejects.toMatchObject({ code: 'TIMEOUT', message: expect.stringMatching(/no answer in 100 ms$/) })
  await expect(asked).rejects.not.toThrow(/secret/)
})

test('the signal of the caller ends it as aborted, before the answer and in it', async () => {
  const url = await serve((response) => void response.writeHead(200).write('x'))
  const controller = new AbortController()
  const response = await client().request({
    method: 'GET',
    url,
    timeoutMs: 5_000,
    headers: {},
    signal: controller.signal,
  })
  const text = response.text()
  controller.abort(new Error('gone'))
  await expect(text).rejects.toMatchObject({ code: 'ABORTED' })
  const again = client().request({ method: 'GET', url, timeoutMs: 5_000, signal: controller.signal })
  await expect(again).rejects.toMatchObject({ code: 'ABORTED' })
})

test('an answer that is larger than wanted is named', async () => {
  const url = await serve((response) => response.end('x'.repeat(1_000)))
  const response = await client().request({ method: 'GET', url, timeoutMs: 5_000 })
  await expect(response.bytes(999)).rejects.toMatchObject({ code: 'TOO_LARGE' })
})
