/** One command of `varve`: how it is called, what its flags mean, and what it does. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { nearest } from '../config/nearest.js'
import { CoordinatorError } from '../errors.js'
import { EXIT, type Program } from './program.js'

export interface Flag {
  readonly name: string
  readonly type: 'string' | 'boolean'
  /** What stands after the name in the help: `URL`, `15d|forever`. */
  readonly value?: string
  readonly help: string
  readonly multiple?: boolean
}

export interface Command {
  readonly name: string
  readonly summary: string
  /** Lines after `varve <name>`: one a form. */
  readonly usage: readonly string[]
  /** Arguments that are no flags; absent: the command looks itself. */
  readonly positionalCountMax?: number
  readonly flags: readonly Flag[]
  /** Paragraphs and examples after the flags. */
  readonly more?: string
  run(arguments_: Arguments, program: Program): Promise<number>
}

export class Arguments {
  readonly positionals: readonly string[]
  readonly #values: ReadonlyMap<string, string | boolean | readonly string[]>

  constructor(positionals: readonly string[], values: ReadonlyMap<string, string | boolean | readonly string[]>) {
    this.positionals = positionals
    this.#values = values
  }

  text(flag: string): string | undefined {
    const value = this.#values.get(flag)
    return typeof value === 'string' ? value : undefined
  }

  texts(flag: string): readonly string[] {
    const value = this.#values.get(flag)
    return Array.isArray(value) ? value : []
  }

  isSet(flag: string): boolean {
    return this.#values.get(flag) === true
  }

  /** @throws {CoordinatorError} `INVALID_ARGUMENT` when it is not there. */
  positional(index: number, what: string): string {
    const value = this.positionals[index]
    if (value === undefined) throw new CoordinatorError('INVALID_ARGUMENT', `${what} is missing`)
    return value
  }
}

/** @throws {CoordinatorError} `INVALID_ARGUMENT` for a flag that there is not, or an argument too many. */
export function parseArguments(command: Command, argv: readonly string[]): Arguments {
  const options: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', short: 'h' } }
  for (const flag of command.flags) options[flag.name] = { type: flag.type, multiple: flag.multiple ?? false }
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, allowNegative: true })
    const extra = positionals[command.positionalCountMax ?? positionals.length]
    if (extra !== undefined && values.help !== true) throw new Error(`${JSON.stringify(extra)} is not expected here`)
    return new Arguments(positionals, new Map(Object.entries(values as Record<string, string | boolean | string[]>)))
  } catch (error) {
    throw new CoordinatorError('INVALID_ARGUMENT', (error as Error).message.split('. ')[0] + meantFlag(command, error))
  }
}

function meantFlag(command: Command, error: unknown): string {
  const given = /^Unknown option '--([^']*)'/.exec((error as Error).message)?.[1]
  const meant =
    given === undefined
      ? undefined
      : nearest(
          given,
          command.flags.map(({ name }) => name),
        )
  return meant === undefined ? '' : `; did you mean --${meant}?`
}

export function helpOf(command: Command): string {
  const lines = [`varve ${command.name}: ${command.summary}`, '', 'Usage:']
  for (const usage of command.usage) lines.push(`  varve ${command.name}${usage === '' ? '' : ` ${usage}`}`)
  if (command.flags.length > 0) {
    const heads = command.flags.map((flag) => `--${flag.name}${flag.value === undefined ? '' : ` ${flag.value}`}`)
    const width = Math.min(30, Math.max(...heads.map((head) => head.length)))
    lines.push('', 'Flags:')
    command.flags.forEach((flag, i) => {
      lines.push(`  ${heads[i].padEnd(width)}  ${flag.help}`)
    })
  }
  if (command.more !== undefined) lines.push('', command.more)
  return `${lines.join('\n')}\n`
}

/** The class of errors that are the caller's to mend: shown without a stack. */
export function exitCodeFor(error: unknown): number {
  return error instanceof CoordinatorError && error.code === 'INVALID_ARGUMENT' ? EXIT.usage : EXIT.failed
}
