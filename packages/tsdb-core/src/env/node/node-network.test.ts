import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import type { Connection } from '../network.js'
import { nodeNetwork } from './node-network.js'

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

it('frames arrive whole, in order, however large', async () => {
  const network = nodeNetwork()
  const address = `127.0.0.1:${await freePort()}`
  const accepted: Connection[] = []
  const server = await network.listen(address, async (connection) => {
    accepted.push(connection)
    for await (const frame of connection.frames()) await connection.send(frame)
  })
  const connection = await network.dial(address)
  const sizes = [0, 1, 5_000_000, 3, 70_000]
  void Promise.all(sizes.map((size, i) => connection.send(new Uint8Array(size).fill(i))))
  let index = 0
  for await (const frame of connection.frames()) {
    expect(frame.length).toBe(sizes[index])
    expect(frame.every((byte) => byte === index)).toBe(true)
    if (++index === sizes.length) break
  }
  await server.close()
  const ended: Uint8Array[] = []
  for await (const frame of connection.frames()) ended.push(frame)
  expect(ended).toEqual([])
  await expect(network.dial(address)).rejects.toThrow(`cannot reach ${address}`)
})

it('a frame that is announced too large ends the connection', async () => {
  const network = nodeNetwork()
  const port = await freePort()
  const server = createServer((socket) => socket.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff))).listen(port, '127.0.0.1')
  const connection = await network.dial(`127.0.0.1:${port}`)
  await expect(async () => {
    for await (const _ of connection.frames());
  }).rejects.toThrow(/frame of 4294967295 bytes/)
  server.close()
})
