/** The settings of a server, as it or a command that looks after it reads them. */
import { parseConfig } from '../config/parse-config.js'
import type { Config } from '../config/schema.js'
import { CoordinatorError } from '../errors.js'
import type { Arguments } from './command.js'
import { overridesFrom } from './coordinator-flags.js'
import type { Program } from './program.js'

/** The file that `--config` or VARVE_CONFIG names, with what flags and the environment say instead. */
export async function readConfiguration(given: Arguments, program: Program): Promise<Config> {
  const path = given.text('config') ?? program.variable('VARVE_CONFIG')
  const overrides = overridesFrom(given, (name) => program.variable(name))
  if (path === undefined) return parseConfig('', 'defaults', overrides)
  let text: string
  try {
    text = await program.readText(program.resolvePath(path))
  } catch (error) {
    throw new CoordinatorError('INVALID_CONFIG', `cannot read ${path}: ${(error as Error).message}`, { cause: error })
  }
  return parseConfig(text, path, overrides)
}

/** Where rules are, when they are not in etcd. */
export function rulesPath(config: Config, program: Program): string {
  return program.resolvePath(config.rules ?? `${config.storage.data_dir}/rules`)
}
