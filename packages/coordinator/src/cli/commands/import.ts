/** `varve import`: samples from a Prometheus' blocks, or from lines of JSON or text. */
import { Database, DEFAULT_NAMESPACE } from '@varve/tsdb-core'
import { parseDurationSetting } from '../../config/units.js'
import { CoordinatorError } from '../../errors.js'
import { importPrometheusBlocks } from '../../import/import-blocks.js'
import { ApiClient, SERVER_FLAGS } from '../api-client.js'
import type { Arguments, Command } from '../command.js'
import { EXIT, type Program } from '../program.js'
import { Progress } from '../progress.js'

/** Where the server takes each kind, and how the lines are called. */
const LINES = new Map([
  ['json', { path: '/api/v1/import', contentType: 'application/x-ndjson' }],
  ['text', { path: '/api/v1/import/prometheus', contentType: 'text/plain' }],
])

/** Lines go in requests of about this size, well under the server's limit for a body. */
const REQUEST_BYTES = 2 << 20

export const importCommand: Command = {
  name: 'import',
  summary: "take in a Prometheus' data directory, or lines of JSON or text",
  usage: ['prometheus DATA-DIR --data-dir DIR', 'json FILE|-', 'text FILE|-'],
  positionalCountMax: 2,
  flags: [
    { name: 'data-dir', type: 'string', value: 'DIR', help: 'our data directory; no server may have it open' },
    { name: 'namespace', type: 'string', value: 'NAME', help: 'where to (default: default)' },
    {
      name: 'retention',
      type: 'string',
      value: '15d|forever',
      help: 'of the namespace from now on (default: forever if it is made)',
    },
    ...SERVER_FLAGS,
  ],
  more: `"prometheus" reads block directories (chunks, index, tombstones) and writes into our data directory directly. Samples that are
in Prometheus' head only are not in its blocks yet: POST /api/v1/admin/tsdb/snapshot there first. Importing twice stores nothing
twice. "json" takes what "varve export" writes, "text" the Prometheus text format; both go to a running server.`,
  run,
}

async function run(given: Arguments, program: Program): Promise<number> {
  const kind = given.positional(0, 'what to import: prometheus, json or text')
  if (kind === 'prometheus') return importBlocks(given, program)
  const lines = LINES.get(kind)
  if (lines === undefined) throw new CoordinatorError('INVALID_ARGUMENT', `there is no "varve import ${kind}"`)
  for (const flag of ['data-dir', 'retention']) {
    if (given.text(flag) !== undefined) {
      const text = `--${flag} goes with "import prometheus" only; lines go to a running server`
      throw new CoordinatorError('INVALID_ARGUMENT', text)
    }
  }
  const namespace = given.text('namespace')
  const path = namespace === undefined ? lines.path : `${lines.path}?namespace=${encodeURIComponent(namespace)}`
  const client = new ApiClient(given, program)
  const progress = new Progress({ output: program.stderr, clock: program.env.clock, what: 'lines' })
  let done = 0
  for await (const { text, count } of requests(source(given, program))) {
    await (await client.stream(path, text, lines.contentType)).discard()
    done += count
    progress.show(done, 0)
  }
  progress.end(done)
  return EXIT.done
}

async function importBlocks(given: Arguments, program: Program): Promise<number> {
  const directory = program.resolvePath(given.positional(1, "Prometheus' data directory"))
  const dataDirectory = given.text('data-dir')
  if (dataDirectory === undefined)
    throw new CoordinatorError('INVALID_ARGUMENT', '--data-dir DIR is missing: where to import to')
  const name = given.text('namespace') ?? DEFAULT_NAMESPACE
  const target = program.resolvePath(dataDirectory)
  const retentionMs = retentionOf(given)
  const isThere = (await program.env.files.stat(`${target}/namespaces/${name}`)) !== null
  const database = await Database.open({
    directory: target,
    env: program.env,
    ...(isThere && retentionMs === null ? {} : { namespaces: { [name]: { retentionMs: retentionMs ?? Infinity } } }),
    onNotice: ({ message }) => program.stderr.write(`${message}\n`),
  })
  try {
    const { options } = database.namespace(name)
    if (options.resolutionMs > 0) {
      throw new CoordinatorError(
        'INVALID_ARGUMENT',
        `--namespace ${name} holds windows of ${options.resolutionMs / 1000} s that rules make: raw samples go to others`,
      )
    }
    const progress = new Progress({ output: program.stderr, clock: program.env.clock, what: 'samples' })
    const result = await importPrometheusBlocks({
      files: program.env.files,
      directory,
      namespace: database.namespace(name),
      onProgress: ({ sampleCount, sampleCountExpected }) => progress.show(sampleCount, sampleCountExpected),
    })
    await database.flush()
    progress.end(result.sampleCount)
    const { blockCount, seriesCount, rejectedCount } = result
    program.stdout.write(`${blockCount} blocks, ${seriesCount} series in them, ${rejectedCount} samples refused\n`)
    if (rejectedCount > 0 && Number.isFinite(options.retentionMs)) {
      const keptDays = options.retentionMs / 86_400_000
      program.stderr.write(`namespace ${name} keeps ${keptDays} days: older samples are refused, see --retention\n`)
    }
    return EXIT.done
  } finally {
    await database.close()
  }
}

/** Null when it is not given. */
function retentionOf(given: Arguments): number | null {
  const text = given.text('retention')
  if (text === undefined) return null
  const retentionMs = text === 'forever' ? Infinity : parseDurationSetting(text)
  if (retentionMs === null || !(retentionMs > 0)) {
    throw new CoordinatorError('INVALID_ARGUMENT', `--retention ${text}: wanted a duration such as 15d, or forever`)
  }
  return retentionMs
}

function source(given: Arguments, program: Program): AsyncIterable<Uint8Array> {
  const path = given.positional(1, 'the file, or - for standard input')
  return path === '-' ? program.readStandardInput() : program.readFile(program.resolvePath(path))
}

/** Whole lines, some of them together. */
async function* requests(parts: AsyncIterable<Uint8Array>): AsyncGenerator<{ text: string; count: number }> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const part of parts) {
    text += decoder.decode(part, { stream: true })
    if (text.length < REQUEST_BYTES) continue
    const end = text.lastIndexOf('\n') + 1
    if (end === 0) continue
    const whole = text.slice(0, end)
    yield { text: whole, count: whole.split('\n').length - 1 }
    text = text.slice(end)
  }
  text += decoder.decode()
  if (text.trim() !== '')
    yield { text: text.endsWith('\n') ? text : `${text}\n`, count: text.trimEnd().split('\n').length }
}
