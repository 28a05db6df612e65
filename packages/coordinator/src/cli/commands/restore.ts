/** `varve restore`: a snapshot becomes the data of a server. */
import { restoreSnapshot } from '@varve/tsdb-core'
import { formatSize } from '../../config/units.js'
import { CoordinatorError } from '../../errors.js'
import type { Arguments, Command } from '../command.js'
import { EXIT, type Program } from '../program.js'

export const restoreCommand: Command = {
  name: 'restore',
  summary: 'put a snapshot in place of the data of a stopped server',
  usage: ['SNAPSHOT --data-dir DATA-DIR [--replace]'],
  positionalCountMax: 1,
  flags: [
    { name: 'data-dir', type: 'string', value: 'DATA-DIR', help: 'where it goes; made when it is not there' },
    { name: 'replace', type: 'boolean', help: 'give up the samples that lie there already' },
  ],
  more: `SNAPSHOT is a folder that "varve snapshot" made (DATA-DIR/snapshots/NAME), a copy of one, or of the data of a stopped server. It is
checked byte by byte first, and nothing is changed when it is damaged. It may lie in DATA-DIR itself, and stays as it is: on one disk its
files are linked, not copied. Ends with 0 once all of it is durable in place; when it is cut off, DATA-DIR holds what it held before, or
the next start completes it. Rules come from etcd or their files again; the copies in DATA-DIR/state stay.`,
  run,
}

async function run(given: Arguments, program: Program): Promise<number> {
  const snapshot = program.resolvePath(given.positional(0, 'the snapshot'))
  const dataDirectory = given.text('data-dir')
  if (dataDirectory === undefined) throw new CoordinatorError('INVALID_ARGUMENT', '--data-dir is missing')
  const directory = program.resolvePath(dataDirectory)
  const replace = given.isSet('replace')
  const { fileCount, sizeBytes } = await restoreSnapshot({ snapshot, directory, replace, env: program.env }).catch(
    (error: Error & { code?: string }) => {
      const hint = error.code === 'INVALID_ARGUMENT' && !replace && error.message.includes('holds a store')
      throw hint ? new CoordinatorError('INVALID_ARGUMENT', `${error.message}: add --replace to give it up`) : error
    },
  )
  program.stdout.write(`${fileCount} files, ${formatSize(sizeBytes)} checked and restored: ${directory}\n`)
  return EXIT.done
}
