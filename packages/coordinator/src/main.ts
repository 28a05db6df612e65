import { nodeEnv } from '@varve/tsdb-core/env/node'
import { runProgram } from './cli/run.js'
import { nodeProgram } from './env/node/program.js'
import { boundYoungSpace } from './env/node/young-space.js'

/** Runs one command line, without the program's name, and resolves with its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  boundYoungSpace()
  return runProgram(argv, nodeProgram(nodeEnv()))
}
