/** Long answers share the memory that they are written into, one after the other: none may hold bytes of another. */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { startCoordinator, type TestCoordinator } from '../testing/start-coordinator.js'

let server: TestCoordinator | undefined
afterEach(async () => {
  await server?.stop()
})

/** Some 400 KiB in which every value is `number` and a fraction. */
function pathOf(number: number): string {
  return `/api/v1/query_range?query=vector(${number}.123456789012)&start=1700000000&end=1700010900&step=1`
}

interface Sent {
  readonly number: number
}

/** Sends the requests at once on one connection, reads slowly, and hangs up after `bytesMax`. */
async function bodiesOf(url: string, sent: readonly Sent[], bytesMax = Infinity, restMs = 0): Promise<string[]> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.write(
    sent
      .map(({ number }, i) => {
        const last = i === sent.length - 1 ? 'Connection: close\r\n' : ''
        return `GET ${pathOf(number)} HTTP/1.1\r\nHost: x\r\n${last}\r\n`
      })
      .join(''),
  )
  const parts: Buffer[] = []
  let size = 0
  for await (const part of socket) {
    parts.push(part as Buffer)
    size += (part as Buffer).length
    if (size >= bytesMax) break
    if (restMs > 0) await sleep(restMs)
  }
  socket.destroy()
  return Buffer.concat(parts)
    .toString('latin1')
    .split(/HTTP\/1\.1 200 OK\r\n/)
    .slice(1)
}

/** The body of an answer in chunks; undefined where it was cut off. */
function unchunked(answer: string): string | undefined {
  let at = answer.indexOf('\r\n\r\n') + 4
  let body = ''
  for (;;) {
    const lineEnd = answer.indexOf('\r\n', at)
    const size = lineEnd < 0 ? Number.NaN : Number.parseInt(answer.slice(at, lineEnd), 16)
    if (Number.isNaN(size)) return undefined
    if (size === 0) return body
    body += answer.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 4 + size
  }
}

test('none holds a byte of another, whoever reads slowly, hangs up or asks on', { timeout: 60_000 }, async () => {
  server = await startCoordinator({ yaml: 'query: { concurrency: 50 }' })
  const { url } = server
  const isRight = (body: string | undefined, number: number) => {
    const values: string[] = JSON.parse(body ?? '{}').data.result[0].values.map(([, value]: [number, string]) => value)
    expect(values.length).toBe(10_901)
    expect(new Set(values)).toEqual(new Set([`${number}.123456789012`]))
  }
  const number = (round: number, one: number) => 100 + round * 10 + one
  for (let round = 0; round < 6; round++) {
    const gone = bodiesOf(url, [{ number: number(round, 0) }], 150_000)
    const slow = bodiesOf(url, [{ number: number(round, 1) }], Infinity, 3)
    const piped = bodiesOf(url, [
      { number: number(round, 2) },
      { number: number(round, 3) },
      { number: number(round, 4) },
    ])
    const compressed = fetch(`${url}${pathOf(number(round, 5))}`).then((answer) => answer.text())
    await gone
    isRight(unchunked((await slow)[0]), number(round, 1))
    const answers = await piped
    expect(answers.length).toBe(3)
    for (const [i, answer] of answers.entries()) isRight(unchunked(answer), number(round, 2 + i))
    isRight(await compressed, number(round, 5))
  }
})
