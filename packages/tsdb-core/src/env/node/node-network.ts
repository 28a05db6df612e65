/**
 * Frames over TCP: each is its size as an unsigned 32-bit number, big-endian, then its bytes.
 */
import { createServer, connect as dialTcp, type Socket } from 'node:net'
import type { Connection, Network } from '../network.js'

const FRAME_SIZE_BYTES_MAX = 64 * 1024 * 1024
/** A connection whose reader does not keep up is paused beyond this. */
const QUEUED_BYTES_MAX = 4 * 1024 * 1024
const DIAL_TIMEOUT_MS = 10_000

export function nodeNetwork(): Network {
  return {
    dial(address) {
      const { host, port } = parseAddress(address)
      return new Promise((resolve, reject) => {
        const socket = dialTcp({ host, port, noDelay: true, timeout: DIAL_TIMEOUT_MS })
        const fail = (error: Error) => {
          socket.destroy()
          reject(new Error(`cannot reach ${address}: ${error.message}`, { cause: error }))
        }
        socket.once('error', fail)
        socket.once('timeout', () => fail(new Error(`no answer in ${DIAL_TIMEOUT_MS} ms`)))
        socket.once('connect', () => {
          socket.removeAllListeners('timeout')
          socket.setTimeout(0)
          socket.off('error', fail)
          resolve(new TcpConnection(socket))
        })
      })
    },
    listen(address, accept) {
      const { host, port } = parseAddress(address)
      const sockets = new Set<Socket>()
      const server = createServer({ noDelay: true }, (socket) => {
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
        accept(new TcpConnection(socket))
      })
      return new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen({ host, port }, () => {
          server.off('error', reject)
          resolve({
            close: () =>
              new Promise((closed) => {
                server.close(() => closed())
                for (const socket of sockets) socket.destroy()
              }),
          })
        })
      })
    },
  }
}

class TcpConnection implements Connection {
  readonly #socket: Socket
  readonly #queue: Uint8Array[] = []
  #queuedBytes = 0
  #partial: Buffer[] = []
  #partialBytes = 0
  #ended = false
  #failure: Error | undefined
  #wake: (() => void) | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    socket.once('error', (error) => this.#end(error))
    socket.once('close', () => this.#end(undefined))
  }

  send(frame: Uint8Array): Promise<void> {
    if (frame.length > FRAME_SIZE_BYTES_MAX) {
      return Promise.reject(new Error(`frame of ${frame.length} bytes: at most ${FRAME_SIZE_BYTES_MAX} are sent`))
    }
    const size = Buffer.alloc(4)
    size.writeUInt32BE(frame.length)
    return new Promise((resolve, reject) => {
      this.#socket.cork()
      this.#socket.write(size)
      this.#socket.write(frame, (error) => (error ? reject(error) : resolve()))
      this.#socket.uncork()
    })
  }

  async *frames(): AsyncIterable<Uint8Array> {
    for (;;) {
      const frame = this.#queue.shift()
      if (frame !== undefined) {
        this.#queuedBytes -= frame.length
        if (this.#queuedBytes < QUEUED_BYTES_MAX) this.#socket.resume()
        yield frame
      } else if (this.#ended) {
        if (this.#failure !== undefined) throw this.#failure
        return
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    this.#partial.push(bytes)
    this.#partialBytes += bytes.length
    while (this.#partialBytes >= 4) {
      const size = this.#joined(4).readUInt32BE(0)
      if (size > FRAME_SIZE_BYTES_MAX) {
        const limit = `at most ${FRAME_SIZE_BYTES_MAX} are taken`
        this.#socket.destroy(new Error(`peer announces a frame of ${size} bytes: ${limit}`))
        return
      }
      if (this.#partialBytes < 4 + size) break
      const all = this.#joined(4 + size)
      // A copy, so that the frame does not keep all of what came with it alive.
      this.#queue.push(Uint8Array.from(all.subarray(4, 4 + size)))
      this.#queuedBytes += size
      this.#partial = [all.subarray(4 + size)]
      this.#partialBytes = all.length - 4 - size
    }
    if (this.#queuedBytes >= QUEUED_BYTES_MAX) this.#socket.pause()
    this.#notify()
  }

  /** The pieces as one buffer, of which at least `size` bytes are wanted. */
  #joined(size: number): Buffer {
    if (this.#partial[0].length < size) this.#partial = [Buffer.concat(this.#partial)]
    else if (this.#partial.length > 1 && this.#partial[0].length < this.#partialBytes) {
      this.#partial = [Buffer.concat(this.#partial)]
    }
    return this.#partial[0]
  }

  #end(failure: Error | undefined): void {
    this.#ended = true
    this.#failure ??= failure
    this.#notify()
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

function parseAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(address)
  if (match === null) throw new Error(`address ${JSON.stringify(address)}: host:port is wanted`)
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port: Number(match[3]) }
}
