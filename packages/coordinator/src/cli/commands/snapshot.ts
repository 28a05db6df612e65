/** `varve snapshot`: a consistent copy of a running server's data. */
import { ApiClient, SERVER_FLAGS } from '../api-client.js'
import type { Arguments, Command } from '../command.js'
import { EXIT, type Program } from '../program.js'

export const snapshotCommand: Command = {
  name: 'snapshot',
  summary: 'make a consistent copy of the data of a running server',
  usage: [''],
  positionalCountMax: 0,
  flags: SERVER_FLAGS,
  more: `The server must run with --enable-admin. The copy is made beside the data, and its folder printed: DATA-DIR/snapshots/NAME, on
the machine of the server. Files are linked, so it takes little room and time: copy it away for a backup.
"varve restore DATA-DIR/snapshots/NAME --data-dir DATA-DIR" puts it back into place.`,
  run,
}

async function run(given: Arguments, program: Program): Promise<number> {
  const client = new ApiClient(given, program)
  const { data } = await client.ask<{ directory: string }>('/api/v1/admin/tsdb/snapshot', [])
  program.stdout.write(`${data.directory}\n`)
  return EXIT.done
}
