import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { SILENT } from '../../logging/logger.js'
import { GET, type HttpRequest, POST, type Route, textResponse } from '../../server/http.js'
import { EVERYBODY, Pipeline } from '../../server/pipeline.js'
import { ServerStatistics } from '../../server/statistics.js'
import { HttpServer } from './http-server.js'

const open: HttpServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.stop(0)
})

async function serve(routes: Route[], options: { inFlightBytesMax?: number; drainTimeoutMs?: number } = {}) {
  const statistics = new ServerStatistics()
  const pipeline = new Pipeline({
    routes,
    authenticator: EVERYBODY,
    inFlightBytesMax: options.inFlightBytesMax ?? 1 << 20,
    logger: SILENT,
    statistics,
    corsOrigin: null,
  })
  const server = await HttpServer.listen({ address: { host: '127.0.0.1', port: 0 }, pipeline, ...options })
  open.push(server)
  return { url: `http://127.0.0.1:${server.port}`, server, pipeline, statistics }
}

const echo: Route = {
  methods: POST,
  path: '/echo',
  permission: 'write',
  body: { sizeBytesMax: 100_000, decodedSizeBytesMax: 200_000 },
  handle: async (request) => ({ status: 200, body: request.body.slice() }),
}

describe('routes', () => {
  test('an unknown path gets the words that Grafana looks for', async () => {
    const { url } = await serve([echo])
    const response = await fetch(`${url}/api/v1/rules/test/test`)
    expect(response.status).toBe(404)
    expect(await response.text()).toBe('404 page not found\n')
  })

  test('remote write to a wrong path is told the right one', async () => {
    const { url } = await serve([
      echo,
      { methods: GET, path: '/', permission: 'read', handle: async () => textResponse(200, '') },
    ])
    const headers = { 'Content-Encoding': 'snappy', 'Content-Type': 'application/x-protobuf' }
    const said = async (path: string) => (await fetch(url + path, { method: 'POST', headers, body: 'x' })).text()
    const right = 'remote write goes to /api/v1/write'
    expect(await said('/api/v1/wirte')).toContain(`404 page not found: ${right}`)
    expect(await said('/')).toContain(right)
    expect(await said('/echo')).toContain(right)
    expect(await (await fetch(`${url}/x`)).text()).toBe('404 page not found\n')
  })

  test('a known path with another method names the methods that it takes', async () => {
    const { url } = await serve([echo])
    const response = await fetch(`${url}/echo`)
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('POST')
  })

  test('path parameters are decoded once, and literal paths win', async () => {
    const show = async (request: HttpRequest) => textResponse(200, request.pathParameters.get('name') ?? 'literal')
    const { url } = await serve([
      { methods: GET, path: '/label/:name/values', permission: 'read', handle: show },
      { methods: GET, path: '/label/exact/values', permission: 'read', handle: show },
    ])
    expect(await (await fetch(`${url}/label/a%252Fb/values`)).text()).toBe('a%2Fb\n')
    expect(await (await fetch(`${url}/label/exact/values`)).text()).toBe('literal\n')
    expect((await fetch(`${url}/label/%ff/values`)).status).toBe(404)
  })

  test('OPTIONS on an API path answers with the cross-origin headers', async () => {
    const { url } = await serve([echo])
    const response = await fetch(`${url}/api/v1/query`, { method: 'OPTIONS', headers: { Origin: 'http://panel' } })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
  })
})

describe('bodies', () => {
  test('a body comes back whole, by length and chunked', async () => {
    const { url } = await serve([echo])
    const body = new Uint8Array(90_000).map((_, i) => i % 251)
    expect(new Uint8Array(await (await fetch(`${url}/echo`, { method: 'POST', body })).arrayBuffer())).toEqual(body)
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let i = 0; i < 9; i++) controller.enqueue(body.subarray(i * 10_000, (i + 1) * 10_000))
        controller.close()
      },
    })
    const response = await fetch(`${url}/echo`, { method: 'POST', body: stream, duplex: 'half' } as RequestInit)
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(body)
  })

  test('a gzipped body is decoded up to the limit, a bomb is refused with the limit in the text', async () => {
    const { url } = await serve([echo])
    const headers = { 'Content-Encoding': 'gzip' }
    const small = await fetch(`${url}/echo`, { method: 'POST', headers, body: gzipSync('hello') })
    expect(await small.text()).toBe('hello')
    const bomb = await fetch(`${url}/echo`, { method: 'POST', headers, body: gzipSync(Buffer.alloc(5_000_000)) })
    expect(bomb.status).toBe(413)
    expect(await bomb.text()).toContain('200000')
    const broken = await fetch(`${url}/echo`, { method: 'POST', headers, body: 'not gzip' })
    expect(broken.status).toBe(400)
  })

  test('too large a body is refused by its declared length, with the limit in the text', async () => {
    const { url } = await serve([echo])
    const response = await fetch(`${url}/echo`, { method: 'POST', body: new Uint8Array(100_001) })
    expect(response.status).toBe(413)
    expect(await response.text()).toBe('the body has 100001 bytes or more, at most 100000 are accepted\n')
  })

  test('too large a body of unknown length is refused once it is, and its connection ends', async () => {
    const { url, pipeline } = await serve([echo])
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    let answer = ''
    socket.on('data', (part: Buffer) => {
      answer += part.toString('latin1')
    })
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write('POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
    const size = 60_000
    for (let i = 0; i < 2; i++) socket.write(`${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`)
    await closed
    expect(answer).toMatch(/^HTTP\/1\.1 413 [\s\S]*at most 100000 are accepted/)
    await expect.poll(() => pipeline.budget.usedBytes).toBe(0)
  })

  test.each(['declared', 'chunked'])(
    'the answer to too large a body (%s) reaches a client that sends all of it first',
    async (how) => {
      const { server, statistics } = await serve([echo])
      const socket = connect(server.port, '127.0.0.1')
      const errors: Error[] = []
      socket.on('error', (error) => errors.push(error))
      const closed = new Promise((resolve) => socket.once('close', resolve))
      const part = Buffer.alloc(100_000, 'x')
      const head = how === 'declared' ? `Content-Length: ${part.length * 100}` : 'Transfer-Encoding: chunked'
      const { path } = echo
      socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`)
      for (let i = 0; i < 100; i++) {
        if (how === 'chunked') socket.write(`${part.length.toString(16)}\r\n`)
        socket.write(part)
        if (how === 'chunked') socket.write('\r\n')
        await new Promise((resolve) => setImmediate(resolve))
      }
      await new Promise((resolve) => socket.write(how === 'chunked' ? '0\r\n\r\n' : '', resolve))
      let answer = ''
      socket.on('data', (data) => {
        answer += data
      })
      await closed
      expect(errors).toEqual([])
      expect(answer).toMatch(/^HTTP\/1\.1 413 [\s\S]*at most 100000 are accepted/)
      await expect.poll(() => statistics.connectionCount).toBe(0)
    },
  )

  test('a client that leaves before its body is whole leaves nothing behind', async () => {
    const { url, pipeline, statistics } = await serve([echo])
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.on('error', () => {})
    socket.write(`POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n${'x'.repeat(100)}`)
    await expect.poll(() => pipeline.budget.usedBytes).toBe(5000)
    socket.destroy()
    await expect.poll(() => pipeline.budget.usedBytes).toBe(0)
    expect(statistics.requestsInFlight).toBe(0)
    expect((await fetch(`${url}/echo`, { method: 'POST', body: 'next' })).status).toBe(200)
  })

  test('with the byte budget spent the answer is 503 with Retry-After, and later it works again', async () => {
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const slow: Route = {
      ...echo,
      handle: async () => {
        await held
        return textResponse(200, 'done')
      },
    }
    const { url, pipeline } = await serve([slow], { inFlightBytesMax: 60_000 })
    const first = fetch(`${url}/echo`, { method: 'POST', body: new Uint8Array(50_000) })
    await expect.poll(() => pipeline.budget.usedBytes).toBe(50_000)
    const second = await fetch(`${url}/echo`, { method: 'POST', body: new Uint8Array(50_000) })
    expect(second.status).toBe(503)
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
    release()
    expect((await first).status).toBe(200)
    await expect.poll(() => pipeline.budget.usedBytes).toBe(0)
  })

  test('beforeBody answers before a byte of the body was asked for', async () => {
    const { url } = await serve([{ ...echo, beforeBody: () => textResponse(415, 'no') }])
    expect((await fetch(`${url}/echo`, { method: 'POST', body: new Uint8Array(90_000) })).status).toBe(415)
  })
})

describe('answers', () => {
  const large: Route = {
    methods: GET,
    path: '/large',
    permission: 'read',
    handle: async () => ({
      status: 200,
      body: (async function* () {
        for (let i = 0; i < 1000; i++) yield `${'x'.repeat(999)}\n`
      })(),
    }),
  }

  test('a stream arrives whole, gzipped when asked for', async () => {
    const { url } = await serve([large])
    const text = await (await fetch(`${url}/large`)).text()
    expect(text.length).toBe(1_000_000)
    const zipped = await rawGet(`${url}/large`, { 'Accept-Encoding': 'gzip' })
    expect(zipped.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(zipped.body).length).toBe(1_000_000)
  })

  test('a stream that fails midway cuts the connection and never ends cleanly', async () => {
    const { url } = await serve([
      {
        ...large,
        handle: async () => ({
          status: 200,
          body: (async function* () {
            yield 'x'.repeat(100_000)
            throw new Error('disk gone')
          })(),
        }),
      },
    ])
    await expect(fetch(`${url}/large`).then((response) => response.text())).rejects.toThrow()
  })

  test('an answer that nobody takes is ended, whether a part of it was taken or none', async () => {
    let ended = 0
    const body = (): AsyncIterable<string> => {
      const iterator = {
        next: async () => ({ value: 'x', done: false }),
        return: async () => ({ value: ++ended, done: true }),
      }
      return { [Symbol.asyncIterator]: () => iterator as AsyncIterator<string> }
    }
    let hold: Promise<void> | undefined
    const { url, statistics } = await serve([
      {
        ...large,
        methods: ['GET', 'HEAD'],
        handle: async () => {
          await hold
          return { status: 200, body: body() }
        },
      },
    ])
    expect((await fetch(`${url}/large`, { method: 'HEAD' })).status).toBe(200)
    await expect.poll(() => ended).toBeGreaterThan(0)
    ended = 0
    let release = () => {}
    hold = new Promise((resolve) => (release = resolve))
    const controller = new AbortController()
    const gone = fetch(`${url}/large`, { signal: controller.signal })
    await expect.poll(() => statistics.requestsInFlight).toBe(1)
    controller.abort()
    await expect(gone).rejects.toThrow()
    await new Promise((resolve) => setTimeout(resolve, 50))
    release()
    await expect.poll(() => ended).toBeGreaterThan(0)
  })

  test('a client that hangs up aborts its handler', async () => {
    let reason: unknown
    const { url } = await serve([
      {
        ...large,
        handle: (request) =>
          new Promise((_, reject) => {
            request.signal.addEventListener('abort', () => {
              reason = request.signal.reason
              reject(reason)
            })
          }),
      },
    ])
    const controller = new AbortController()
    const response = fetch(`${url}/large`, { signal: controller.signal })
    setTimeout(() => controller.abort(), 50)
    await expect(response).rejects.toThrow()
    await expect.poll(() => (reason as Error | undefined)?.message).toBe('the client has gone')
  })

  test('a client that does not read is closed, and the producer was paused meanwhile', async () => {
    let produced = 0
    const endless: Route = {
      ...large,
      handle: async () => ({
        status: 200,
        body: (async function* () {
          for (;;) {
            produced++
            yield 'x'.repeat(65_536)
          }
        })(),
      }),
    }
    const { server, statistics } = await serve([endless], { drainTimeoutMs: 200 })
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n')
    socket.pause()
    await expect.poll(() => statistics.slowClientsClosed).toBe(1)
    expect(produced).toBeLessThan(400)
    socket.destroy()
  })

  test('a client that reads slower than the request may take is closed while a part waits for it', async () => {
    const slow: Route = {
      ...large,
      timeoutMs: 300,
      handle: async () => ({
        status: 200,
        body: (async function* () {
          for (;;) yield 'x'.repeat(8 << 20)
        })(),
      }),
    }
    const { server, statistics } = await serve([slow])
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n')
    socket.pause()
    await expect.poll(() => statistics.requestsInFlight).toBe(1)
    await expect.poll(() => statistics.requestsInFlight, { timeout: 4_000 }).toBe(0)
    socket.destroy()
  })

  test('what a handler throws is a 500 without details', async () => {
    const { url } = await serve([
      {
        ...large,
        handle: async () => {
          throw new Error('secret path')
        },
      },
    ])
    const response = await fetch(`${url}/large`)
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret')
  })
})

test('stop lets a request end, then closes', async () => {
  let release = () => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  const { url, server, statistics } = await serve([
    {
      methods: GET,
      path: '/slow',
      permission: 'read',
      handle: async () => {
        await held
        return textResponse(200, 'done')
      },
    },
  ])
  const answer = fetch(`${url}/slow`)
  await expect.poll(() => statistics.requestsInFlight).toBe(1)
  const stopped = server.stop(2_000)
  release()
  expect((await answer).status).toBe(200)
  await stopped
  await expect(fetch(`${url}/slow`)).rejects.toThrow()
})

function rawGet(url: string, headers: Record<string, string>) {
  return new Promise<{ headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
    httpRequest(url, { headers }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts) }))
    })
      .on('error', reject)
      .end()
  })
}
