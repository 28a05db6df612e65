/** `varve <command> …`: finds the command, reads its flags, runs it, and turns what it throws into a message. */

import { nearest } from '../config/nearest.js'
import { CoordinatorError } from '../errors.js'
import { type Command, exitCodeFor, helpOf, parseArguments } from './command.js'
import { EXIT, type Program } from './program.js'

/** Modules are loaded when their command is called: `varve version` should not wait for a database. */
const COMMANDS: readonly { name: string; summary: string; load: () => Promise<Command> }[] = [
  {
    name: 'coordinator',
    summary: 'store what Prometheus writes, answer PromQL, roll up by rules',
    load: async () => (await import('./commands/coordinator.js')).coordinatorCommand,
  },
  {
    name: 'rules',
    summary: 'list, read, write, check and explain rollup rules',
    load: async () => (await import('./commands/rules.js')).rulesCommand,
  },
  {
    name: 'query',
    summary: 'ask PromQL of a running server, answered as a table or a plot',
    load: async () => (await import('./commands/query.js')).queryCommand,
  },
  {
    name: 'import',
    summary: "take in a Prometheus' data directory, or lines of JSON or text",
    load: async () => (await import('./commands/import.js')).importCommand,
  },
  {
    name: 'export',
    summary: 'write samples as lines of JSON',
    load: async () => (await import('./commands/export.js')).exportCommand,
  },
  {
    name: 'snapshot',
    summary: 'make a consistent copy of the data of a running server',
    load: async () => (await import('./commands/snapshot.js')).snapshotCommand,
  },
  {
    name: 'restore',
    summary: 'put a snapshot in place of the data of a stopped server',
    load: async () => (await import('./commands/restore.js')).restoreCommand,
  },
  {
    name: 'verify',
    summary: 'check every byte of a data directory against its checksums',
    load: async () => (await import('./commands/verify.js')).verifyCommand,
  },
  {
    name: 'inspect',
    summary: 'show what lies in a data directory or a block file',
    load: async () => (await import('./commands/inspect.js')).inspectCommand,
  },
  {
    name: 'bench',
    summary: 'measure writes and queries on this machine, in a store that is thrown away',
    load: async () => (await import('./commands/bench.js')).benchCommand,
  },
  {
    name: 'version',
    summary: 'print the version',
    load: async () => (await import('./commands/version.js')).versionCommand,
  },
]

export async function runProgram(argv: readonly string[], program: Program): Promise<number> {
  const [name = 'help', ...rest] = argv
  if (name === 'help' || name === '--help' || name === '-h') {
    const wanted = COMMANDS.find((command) => command.name === rest[0])
    program.stdout.write(wanted === undefined ? overview() : helpOf(await wanted.load()))
    return EXIT.done
  }
  const entry = COMMANDS.find((command) => command.name === (name === '--version' ? 'version' : name))
  if (entry === undefined) {
    const meant = nearest(
      name,
      COMMANDS.map((command) => command.name),
    )
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`
    program.stderr.write(`varve: there is no command ${JSON.stringify(name)}${hint}\n\n${overview()}`)
    return EXIT.usage
  }
  const command = await entry.load()
  try {
    const parsed = parseArguments(command, rest)
    if (parsed.isSet('help')) {
      program.stdout.write(helpOf(command))
      return EXIT.done
    }
    return await command.run(parsed, program)
  } catch (error) {
    const code = exitCodeFor(error)
    program.stderr.write(`varve ${command.name}: ${messageOf(error)}\n`)
    if (code === EXIT.usage) program.stderr.write(`\n"varve ${command.name} --help" tells how to call it.\n`)
    return code
  }
}

function overview(): string {
  const width = Math.max(...COMMANDS.map((command) => command.name.length))
  const lines = COMMANDS.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`)
  return `varve: a time-series database behind Prometheus and Grafana

Usage: varve <command> [flags]

${lines.join('\n')}

"varve <command> --help" tells more. To start: varve coordinator
`
}

/** Errors with a code were written for people; any other is a bug of ours and shows where it came from. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const isOurs = error instanceof CoordinatorError || typeof (error as { code?: unknown }).code === 'string'
  return isOurs ? error.message : (error.stack ?? error.message)
}
