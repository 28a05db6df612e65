// Builds the Rust kernels for this machine: `npm run build:native`. Without cargo it says so and leaves everything as it
// was, since the kernels are optional; VARVE_NATIVE=require makes that a failure.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

const cargo = spawnSync('cargo', ['--version'], { encoding: 'utf8' })
if (cargo.error !== undefined || cargo.status !== 0) {
  const required = process.env.VARVE_NATIVE === 'require'
  console.error(
    'build:native: there is no cargo, so no native kernels are built; everything runs on TypeScript without them.',
  )
  console.error('build:native: install Rust 1.88 or newer (https://rustup.rs) and run this again to have them.')
  process.exit(required ? 1 : 0)
}

const napi = join(dirname(createRequire(import.meta.url).resolve('@napi-rs/cli/package.json')), 'dist/cli.js')
// Debug builds are for sanitizers and debuggers: `npm run build:native -- --debug`.
const profile = process.argv.includes('--debug') ? [] : ['--release']
const built = spawnSync(
  process.execPath,
  [
    napi,
    'build',
    '--platform',
    ...profile,
    '--no-js',
    '--cwd',
    here,
    '--manifest-path',
    'binding/Cargo.toml',
    '--package-json-path',
    'package.json',
    '--output-dir',
    '.',
    '--dts',
    'target/kernels.d.ts',
  ],
  { stdio: 'inherit' },
)
if (built.error !== undefined) console.error(`build:native: ${built.error.message}`)
process.exit(built.status ?? 1)
