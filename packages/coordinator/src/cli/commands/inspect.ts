/** `varve inspect`: what lies in a data directory or in one block file. */
import { type BlockInspection, inspectBlock } from '@varve/tsdb-core'
import { formatSize } from '../../config/units.js'
import { CoordinatorError } from '../../errors.js'
import type { Arguments, Command } from '../command.js'
import { EXIT, type Program } from '../program.js'
import { tableText } from '../table.js'

const METRICS_SHOWN = 20

export const inspectCommand: Command = {
  name: 'inspect',
  summary: 'show what lies in a data directory or a block file',
  usage: ['DATA-DIR', 'FILE.block'],
  positionalCountMax: 1,
  flags: [{ name: 'json', type: 'boolean', help: 'as JSON' }],
  more: 'It reads sealed blocks only and changes nothing; a server may have the directory open meanwhile.',
  run,
}

async function run(given: Arguments, program: Program): Promise<number> {
  const path = program.resolvePath(given.positional(0, 'the data directory or block file'))
  const { files } = program.env
  const stat = await files.stat(path)
  if (stat === null) throw new CoordinatorError('INVALID_ARGUMENT', `${path} is not there`)
  const paths = stat.isDirectory ? await blocksUnder(path, program) : [path]
  const blocks: BlockInspection[] = []
  for (const block of paths) blocks.push(await inspectBlock(block, program.env))
  if (given.isSet('json')) program.stdout.write(`${JSON.stringify(blocks, null, 2)}\n`)
  else program.stdout.write(stat.isDirectory ? folderText(blocks) : blockText(blocks[0]))
  return EXIT.done
}

async function blocksUnder(directory: string, program: Program): Promise<string[]> {
  const { files } = program.env
  const root = `${directory}/namespaces`
  if ((await files.stat(root)) === null)
    throw new CoordinatorError('INVALID_ARGUMENT', `${root} is not there: no data directory?`)
  const found: string[] = []
  const visit = async (folder: string) => {
    for (const name of await files.list(folder)) {
      const path = `${folder}/${name}`
      if (name.endsWith('.block')) found.push(path)
      else if ((await files.stat(path))?.isDirectory) await visit(path)
    }
  }
  await visit(root)
  return found
}

function folderText(blocks: readonly BlockInspection[]): string {
  if (blocks.length === 0) return 'no sealed blocks yet\n'
  const rows = blocks.map((block) => [
    block.namespace,
    String(block.shard),
    `${time(block.startMs)} – ${time(block.endMs)}`,
    String(block.generation),
    String(block.seriesCount),
    String(block.sampleCount),
    formatSize(block.fileSizeBytes),
    (block.fileSizeBytes / Math.max(1, block.sampleCount)).toFixed(2),
  ])
  return tableText(['NAMESPACE', 'SHARD', 'TIME', 'GENERATION', 'SERIES', 'SAMPLES', 'SIZE', 'BYTES/SAMPLE'], rows)
}

function blockText(block: BlockInspection): string {
  const facts = [
    ['file', block.path],
    ['namespace, shard', `${block.namespace}, ${block.shard}`],
    ['time', `${time(block.startMs)} – ${time(block.endMs)}`],
    ['samples from, to', `${time(block.firstMs)}, ${time(block.lastMs)}`],
    ['generation', String(block.generation)],
    ['digest', block.digest],
    ['series', String(block.seriesCount)],
    ['samples', String(block.sampleCount)],
    [
      'size',
      `${formatSize(block.fileSizeBytes)}, ${(block.fileSizeBytes / Math.max(1, block.sampleCount)).toFixed(3)} bytes a sample`,
    ],
  ]
  const sections = block.sections.map(({ name, storedBytes, plainBytes }) => [
    name,
    formatSize(storedBytes),
    formatSize(plainBytes),
  ])
  const metrics = block.metrics
    .slice(0, METRICS_SHOWN)
    .map(({ name, seriesCount, sampleCount, valueBytes }) => [
      name,
      String(seriesCount),
      String(sampleCount),
      formatSize(valueBytes),
    ])
  return [
    tableText(['WHAT', 'IS'], facts),
    tableText(['SECTION', 'STORED', 'PLAIN'], sections),
    tableText(['METRIC', 'SERIES', 'SAMPLES', 'VALUE BYTES'], metrics),
  ].join('\n')
}

function time(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
