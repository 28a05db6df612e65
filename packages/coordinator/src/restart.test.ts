/** The binary as a process of its own: killed, started again, stopped, asked to open what another has open. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeSeries } from './testing/start-coordinator.js'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
/** From the sources, so that the test needs no build. */
const NODE_FLAGS = ['--import', 'tsx', '--conditions=source', '--input-type=module', '--eval']
const program = (args: readonly string[]) =>
  `const { main } = await import(${JSON.stringify(MAIN)}); process.exitCode = await main(${JSON.stringify(args)})`

let directory: string
const running = new Set<ChildProcess>()
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-restart-'))
})
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

interface Process {
  readonly url: string
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<number | null>
}

function launch(args: readonly string[], port: number): Process {
  const child = spawn(process.execPath, [...NODE_FLAGS, program(args)], { stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let output = ''
  child.stdout?.on('data', (part) => (output += part))
  child.stderr?.on('data', (part) => (output += part))
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  void ended.then(() => running.delete(child))
  return { url: `http://127.0.0.1:${port}`, child, output: () => output, ended }
}

async function start(extra: readonly string[] = []): Promise<Process> {
  const port = await freePort()
  const data = join(directory, 'data')
  const flags = ['--data-dir', data, '--listen', `127.0.0.1:${port}`, '--self-scrape', 'off', '--retention', 'forever']
  const started = launch(['coordinator', ...flags, ...extra], port)
  await expect
    .poll(
      async () => {
        if (started.child.exitCode !== null) throw new Error(started.output())
        return fetch(`${started.url}/-/ready`).then(
          ({ status }) => status,
          () => 0,
        )
      },
      { timeout: 20_000, interval: 50 },
    )
    .toBe(200)
  return started
}

const countOf = async (url: string, query: string) => {
  const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query, time: '1700000300' })}`)
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } }
  return Number(data.result[0]?.value[1] ?? 0)
}
const samples = Array.from({ length: 20 }, (_, i) => [1_700_000_000_000 + i * 15_000, i] as const)

describe('the process', () => {
  test('a kill loses nothing that was acknowledged; a flush seals it; verify and inspect see it; a snapshot is restored', async () => {
    const first = await start(['--enable-admin'])
    expect(await writeSeries(first.url, [{ labels: { __name__: 'kept' }, samples }])).toBe(204)
    first.child.kill('SIGKILL')
    await first.ended

    const second = await start(['--enable-admin'])
    expect(await countOf(second.url, 'count_over_time(kept[10m])')).toBe(20)
    const admin = (name: string) => fetch(`${second.url}/api/v1/admin/tsdb/${name}`, { method: 'POST' })
    expect((await admin('flush')).status).toBe(204)
    const blocks = readdirSync(join(directory, 'data/namespaces'), { recursive: true }).filter((name) =>
      String(name).endsWith('.block'),
    )
    expect(blocks.length).toBeGreaterThan(0)
    const { data } = (await (await admin('snapshot')).json()) as { data: { name: string } }
    expect((await admin('delete_series?match[]=kept')).status).toBe(204)
    expect(await countOf(second.url, 'count_over_time(kept[10m])')).toBe(0)
    second.child.kill('SIGTERM')
    expect(await second.ended).toBe(0)

    const varve = (...args: string[]) =>
      execFileSync(process.execPath, [...NODE_FLAGS, program(args)], { encoding: 'utf8' })
    expect(varve('verify', join(directory, 'data'))).toContain('all is well')
    expect(varve('inspect', join(directory, 'data', 'snapshots', data.name))).toMatch(/default +0 +2023-11-14T/)

    const copy = join(directory, 'data', 'snapshots', data.name)
    const dataDirectory = join(directory, 'data')
    const refused = spawnSync(process.execPath, [
      ...NODE_FLAGS,
      program(['restore', copy, '--data-dir', dataDirectory]),
    ])
    expect(refused.status).toBe(2)
    expect(String(refused.stderr)).toContain('holds a store already')
    expect(varve('restore', copy, '--data-dir', dataDirectory, '--replace')).toContain('checked and restored')
    const third = await start()
    expect(await countOf(third.url, 'count_over_time(kept[10m])')).toBe(20)
    const inUse = spawnSync(process.execPath, [
      ...NODE_FLAGS,
      program(['restore', copy, '--data-dir', dataDirectory, '--replace']),
    ])
    expect(inUse.status).toBe(1)
    expect(String(inUse.stderr)).toContain('is in use by')
    third.child.kill('SIGTERM')
    expect(await third.ended).toBe(0)
  })

  test('SIGTERM ends it within 5 s while a query waits and a client holds a connection open', async () => {
    const server = await start()
    const hanging = fetch(`${server.url}/api/v1/write`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
      body: new ReadableStream({ start() {} }),
      duplex: 'half',
    } as RequestInit).catch(() => 'cut')
    await new Promise((resolve) => setTimeout(resolve, 200))
    const stoppedMs = Date.now()
    server.child.kill('SIGTERM')
    expect(await server.ended).toBe(0)
    expect(Date.now() - stoppedMs).toBeLessThan(5_000)
    expect(await hanging).toBe('cut')
  })

  test('a data directory in use, a port in use and a bad VARVE_NATIVE are refused in a sentence', async () => {
    const server = await start()
    const second = launch(['coordinator', '--data-dir', join(directory, 'data'), '--listen', '127.0.0.1:0'], 0)
    expect(await second.ended).toBe(1)
    expect(second.output()).toMatch(/^varve coordinator: .*data.* is in use by process \d+/m)
    expect(second.output()).not.toContain('    at ')
    const third = launch(
      ['coordinator', '--data-dir', join(directory, 'other'), '--listen', new URL(server.url).host],
      0,
    )
    expect(await third.ended).toBe(1)
    expect(third.output()).toContain('another program listens there')
    expect(await countOf(server.url, 'vector(1)')).toBe(1)
  })

  test('SIGHUP reads the configuration again', async () => {
    const config = join(directory, 'varve.yaml')
    writeFileSync(config, 'log: { level: info }\n')
    const server = await start(['--config', config])
    writeFileSync(config, 'query: { lookback: 1m }\n')
    server.child.kill('SIGHUP')
    await expect.poll(() => server.output()).toContain('configuration was read again')
    const { data } = (await (await fetch(`${server.url}/api/v1/status/flags`)).json()) as {
      data: Record<string, string>
    }
    expect(data['query.lookback-delta']).toBe('1m')
    expect(server.output()).toMatch(/remote_write:[\s\S]*api\/v1\/write/)
    expect(existsSync(join(directory, 'data', 'identity.json'))).toBe(true)
    expect(readFileSync(config, 'utf8')).toContain('1m')
  })
})

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
