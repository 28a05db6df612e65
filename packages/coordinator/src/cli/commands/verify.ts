/** `varve verify`: every byte of a data directory against its checksums. */
import { verifyDatabase } from '@varve/tsdb-core'
import { formatSize } from '../../config/units.js'
import type { Arguments, Command } from '../command.js'
import { EXIT, type Program } from '../program.js'

export const verifyCommand: Command = {
  name: 'verify',
  summary: 'check every byte of a data directory against its checksums',
  usage: ['DATA-DIR'],
  positionalCountMax: 1,
  flags: [],
  more: `Ends with 0 when all is well, and with 1 and a line for each damaged place: file, offset, what was found and what was expected.
It changes nothing. A directory that a server has open is checked as it is at that moment, so its newest files may look torn.`,
  run,
}

async function run(given: Arguments, program: Program): Promise<number> {
  const directory = program.resolvePath(given.positional(0, 'the data directory'))
  const report = await verifyDatabase({ directory, env: program.env })
  for (const problem of report.problems) program.stdout.write(`${problem}\n`)
  for (const remark of report.remarks) program.stderr.write(`note: ${remark}\n`)
  const checked = `${report.fileCount} ${report.fileCount === 1 ? 'file' : 'files'}, ${formatSize(report.sizeBytes)} checked`
  const count = report.problems.length
  const found = count === 0 ? 'all is well' : count === 1 ? 'one damaged place' : `${count} damaged places`
  program.stdout.write(`${checked}: ${found}\n`)
  return count === 0 ? EXIT.done : EXIT.failed
}
