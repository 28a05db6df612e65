/** `varve export`: samples of a running server as lines of JSON on standard output. */
import { ApiClient, SERVER_FLAGS } from '../api-client.js'
import type { Arguments, Command } from '../command.js'
import { EXIT, type Program } from '../program.js'
import { Progress } from '../progress.js'

export const exportCommand: Command = {
  name: 'export',
  summary: 'write samples as lines of JSON',
  usage: ["--match 'SELECTOR' [--start T] [--end T] > samples.jsonl"],
  positionalCountMax: 0,
  flags: [
    { name: 'match', type: 'string', value: 'SELECTOR', multiple: true, help: 'series to write (default all)' },
    { name: 'start', type: 'string', value: 'T', help: 'from here' },
    { name: 'end', type: 'string', value: 'T', help: 'until here' },
    {
      name: 'namespace',
      type: 'string',
      value: 'NAME',
      help: 'of this namespace, 1m_90d for instance (default raw samples)',
    },
    ...SERVER_FLAGS,
  ],
  more: `"varve import json" takes the same lines. T is seconds since 1970 or a time such as 2026-01-31T12:00:00Z.`,
  run,
}

async function run(given: Arguments, program: Program): Promise<number> {
  const selectors = given.texts('match')
  const parameters: [string, string][] = (selectors.length > 0 ? selectors : ['{__name__!=""}']).map((text) => [
    'match[]',
    text,
  ])
  for (const name of ['start', 'end', 'namespace']) {
    const value = given.text(name)
    if (value !== undefined) parameters.push([name, value])
  }
  const client = new ApiClient(given, program)
  const form = new URLSearchParams(parameters).toString()
  const response = await client.stream('/api/v1/export', form, 'application/x-www-form-urlencoded')
  const progress = new Progress({ output: program.stderr, clock: program.env.clock, what: 'lines' })
  const decoder = new TextDecoder()
  let lines = 0
  for await (const part of response.body) {
    for (const byte of part) if (byte === 0x0a) lines++
    program.stdout.write(decoder.decode(part, { stream: true }))
    await program.stdout.drained()
    progress.show(lines, 0)
  }
  progress.end(lines)
  return EXIT.done
}
