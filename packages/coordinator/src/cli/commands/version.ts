import { VERSION } from '../../version.js'
import type { Command } from '../command.js'
import { EXIT } from '../program.js'

export const versionCommand: Command = {
  name: 'version',
  summary: 'print the version',
  usage: [''],
  positionalCountMax: 0,
  flags: [],
  async run(_, program) {
    program.stdout.write(`varve ${VERSION} (Node.js ${program.runtime.nodeVersion}, ${program.runtime.platform})\n`)
    return EXIT.done
  },
}
