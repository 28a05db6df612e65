/**
 * The packages as a user gets them: packed, checked for their exports and types, installed into an empty project, and the
 * README's program run there as it stands.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const LIBRARY = ['native', 'packages/gorilla-codec', 'packages/tsdb-core', 'packages/promql']
const PUBLIC = [...LIBRARY, 'packages/aggregator', 'packages/coordinator']

let directory: string
const tarballs = new Map<string, string>()

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'varve-packages-'))
  for (const folder of PUBLIC) {
    const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', directory], {
      cwd: join(ROOT, folder),
    })
    tarballs.set(folder, join(directory, stdout.trim().split('\n').at(-1) as string))
  }
}, 120_000)

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

describe('packed packages', () => {
  for (const folder of PUBLIC) {
    it(`${folder}: exports and types hold what package.json says`, async () => {
      const tarball = tarballs.get(folder) as string
      await run('npx', ['publint', tarball, '--strict'], { cwd: ROOT })
      await run('npx', ['attw', tarball, '--profile', 'esm-only', '--no-color'], { cwd: ROOT })
    }, 120_000)
  }

  it('run the README example in an empty project', async () => {
    const project = await mkdtemp(join(directory, 'project-'))
    await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'example', private: true, type: 'module' }))
    const files = LIBRARY.map((folder) => tarballs.get(folder) as string)
    await run('npm', ['install', '--no-audit', '--no-fund', '--omit=optional', '--prefer-offline', ...files], {
      cwd: project,
    })
    await writeFile(join(project, 'example.js'), exampleOf(await readFile(join(ROOT, 'README.md'), 'utf8')))
    const { stdout } = await run(process.execPath, ['example.js'], { cwd: project })
    const [series, rate] = stdout.trim().split(' ')
    expect(series).toBe('{path="/"}')
    expect(Number(rate)).toBeCloseTo(3, 9)
  }, 180_000)
})

/** The first JavaScript program of the page. */
function exampleOf(page: string): string {
  const match = /```js\n([\s\S]*?)```/.exec(page)
  if (match === null) throw new Error('README.md has no program in a js block')
  return match[1]
}
