/** `varve rules`: the rule documents, in etcd or in files. */
import {
  AggregatorError,
  FileRuleStore,
  findOutputConflicts,
  problemText,
  RULE_KINDS,
  type Rule,
  type RuleId,
  type RuleKind,
  type RuleStore,
  readRule,
} from '@varve/aggregator'
import { EtcdError } from '@varve/tsdb-core/env'
import { CoordinatorError } from '../../errors.js'
import { connectEtcd, etcdOptions, etcdRuleStore } from '../../rules/etcd-rules.js'
import { SERVER_FLAGS } from '../api-client.js'
import type { Arguments, Command, Flag } from '../command.js'
import { EXIT, type Program } from '../program.js'
import { readConfiguration, rulesPath } from '../read-configuration.js'
import { tableText } from '../table.js'
import { explainSeries } from './rules-explain.js'
import { backfill, dryRun, importM3 } from './rules-history.js'

/** Actions that need a place with rules; others make it, or miss their rule in it. */
const READING = new Set(['list', 'validate', 'explain'])

const DEFAULT_ETCD = 'http://127.0.0.1:2379'

const STORE_FLAGS: readonly Flag[] = [
  {
    name: 'config',
    type: 'string',
    value: 'FILE',
    help: "where the server's settings say, with their users and certificates",
  },
  { name: 'etcd', type: 'string', value: 'URL[,URL]', help: 'rules in this etcd' },
  { name: 'etcd-prefix', type: 'string', value: '/PATH', help: 'keys of this installation in etcd (default /varve)' },
  { name: 'rules', type: 'string', value: 'FILE|DIR', help: 'rules in a file or folder' },
]

export const rulesCommand: Command = {
  name: 'rules',
  summary: 'list, read, write, check and explain rollup rules',
  usage: [
    'list',
    'get KIND/NAME',
    'put KIND/NAME FILE|-',
    'delete KIND/NAME',
    'validate [FILE|DIR …]',
    'explain \'http_requests_total{code="200"}\'',
    'dry-run KIND/NAME FILE|- [--since 6h]',
    'backfill KIND/NAME --from T',
    'import-m3 FILE.yaml',
  ],
  flags: [
    ...STORE_FLAGS,
    { name: 'since', type: 'string', value: '1h', help: 'dry-run: over samples of so long (default 1h)' },
    { name: 'from', type: 'string', value: 'T', help: 'backfill: from here on' },
    ...SERVER_FLAGS,
  ],
  more: `KIND is ${RULE_KINDS.join(', ')}. "put" checks the document first and writes nothing when it is not good.
"validate" checks files, or all that the store holds, and ends with 1 when something is wrong.
"explain" says which rules a series meets and what would be written. "dry-run" asks a running server what a document would make
of stored samples, "backfill" applies a rule to history there (--enable-admin). "import-m3" translates downsample.rules of M3:
into the store that --config, --etcd or --rules names, or onto the screen. Without these the rules in ./data/rules are meant where
there is a ./data, as for a server that was started here without flags, and else those in the etcd at ${DEFAULT_ETCD}.

  echo '{"match": "{__name__!=\\"\\"}", "policies": ["1m:90d"]}' | varve rules put mapping/all - --rules ./rules
  varve rules list --etcd http://127.0.0.1:2379`,
  run,
}

async function run(given: Arguments, program: Program): Promise<number> {
  const action = given.positional(0, 'what to do: list, get, put, delete, validate or explain')
  const files = given.positionals.slice(1)
  if (action === 'validate' && files.length > 0) {
    const stores: RuleStore[] = []
    for (const file of files) stores.push(await existingFileStore(file, program))
    return validate(stores, program)
  }
  if (action === 'dry-run') return dryRun(given, ruleIdOf(given), await documentText(given, program), program)
  if (action === 'backfill') return backfill(given, ruleIdOf(given), program)
  const hasStore = STORE_FLAGS.some(({ name }) => given.text(name) !== undefined)
  if (action === 'import-m3' && !hasStore) return importM3(given, null, program)
  const opened = await openStore(action, given, program)
  const { store } = opened
  try {
    if (action === 'list') return await list(store, program)
    if (action === 'validate') return await validate([store], program)
    if (action === 'explain') return await explainSeries(store, given.positional(1, 'the series'), program)
    if (action === 'import-m3') return await importM3(given, store, program)
    if (action === 'get') return await get(store, ruleIdOf(given), program)
    if (action === 'delete') return await remove(store, ruleIdOf(given), program)
    if (action === 'put') return await put(store, ruleIdOf(given), await documentText(given, program), program)
    throw new CoordinatorError('INVALID_ARGUMENT', `there is no "varve rules ${action}"`)
  } catch (error) {
    if (!(error instanceof EtcdError || error instanceof AggregatorError)) throw error
    const text = hasStore ? error.message : `${error.message}; ${opened.hint}`
    throw new CoordinatorError('UNAVAILABLE', text, { cause: error })
  } finally {
    await opened.close()
  }
}

/** A place that is only read has to be there: a mistyped name would look like a place without rules. */
async function existingFileStore(file: string, program: Program): Promise<FileRuleStore> {
  const path = program.resolvePath(file)
  if ((await program.env.files.stat(path)) === null) {
    throw new CoordinatorError('UNAVAILABLE', `there is no file or folder ${path}`)
  }
  return new FileRuleStore({ files: program.env.files, path })
}

interface OpenedStore {
  readonly store: RuleStore
  /** How to name another store, for when this one was not named and cannot be reached. */
  readonly hint: string
  close(): Promise<void>
}

async function openStore(action: string, given: Arguments, program: Program): Promise<OpenedStore> {
  const path = given.text('rules')
  if (path !== undefined && given.text('etcd') !== undefined) {
    throw new CoordinatorError('INVALID_ARGUMENT', 'rules are in etcd or in files: give --etcd or --rules, not both')
  }
  if (path !== undefined) return fileStore(action, path, program)
  const config = await readConfiguration(given, program)
  if (config.etcd.endpoints.length === 0) {
    const isServed = (await program.env.files.stat(program.resolvePath(config.storage.data_dir))) !== null
    const isNamed = config.rules !== undefined || given.text('config') !== undefined
    // Where nobody named a place, there may be no rules yet.
    if (isNamed || isServed) return fileStore(isNamed ? action : 'put', rulesPath(config, program), program)
  }
  const endpoints = config.etcd.endpoints.length > 0 ? config.etcd.endpoints : [DEFAULT_ETCD]
  const options = await etcdOptions(config.etcd, (file) => program.readText(program.resolvePath(file)))
  const client = await connectEtcd(program.env, { ...options, endpoints })
  const store = etcdRuleStore(client, { prefix: config.etcd.prefix, endpoints })
  const close = async () => {
    await store.close()
    await client.close()
  }
  const why = config.etcd.endpoints.length > 0 ? '' : ', since there is no ./data here'
  const hint =
    `without flags the rules in etcd at ${endpoints.join(', ')} are meant${why}: ` +
    'name --etcd URL, --rules DATA-DIR/rules, or the --config of the server'
  return { store, hint, close }
}

async function fileStore(action: string, path: string, program: Program): Promise<OpenedStore> {
  const store = READING.has(action)
    ? await existingFileStore(path, program)
    : new FileRuleStore({ files: program.env.files, path: program.resolvePath(path) })
  return { store, hint: '', close: () => store.close() }
}

async function list(store: RuleStore, program: Program): Promise<number> {
  const { documents, strays } = await store.list()
  const rows = documents.map(({ kind, name, text }) => {
    const { problems } = readRule(kind, name, text)
    const state = problems.length === 0 ? 'good' : `${problems.length} problem${problems.length > 1 ? 's' : ''}`
    return [kind, name, state, text.replace(/\s+/g, ' ').slice(0, 100)]
  })
  if (rows.length === 0) program.stdout.write(`no rules in ${store.description}\n`)
  else program.stdout.write(tableText(['KIND', 'NAME', 'STATE', 'DOCUMENT'], rows))
  for (const { where, message } of strays) program.stderr.write(`${where}: ${message}\n`)
  return EXIT.done
}

async function get(store: RuleStore, { kind, name }: RuleId, program: Program): Promise<number> {
  const { documents } = await store.list()
  const found = documents.find((document) => document.kind === kind && document.name === name)
  if (found === undefined) throw notThere(store, { kind, name })
  program.stdout.write(`${found.text.trimEnd()}\n`)
  return EXIT.done
}

async function put(store: RuleStore, id: RuleId, text: string, program: Program): Promise<number> {
  const { problems } = readRule(id.kind, id.name, text)
  if (problems.length > 0) {
    for (const problem of problems) program.stderr.write(`${id.kind}/${id.name}: ${problemText(problem)}\n`)
    program.stderr.write('nothing was written\n')
    return EXIT.failed
  }
  await store.put(id, text)
  program.stdout.write(`${id.kind}/${id.name} is in ${store.description}\n`)
  return EXIT.done
}

async function remove(store: RuleStore, id: RuleId, program: Program): Promise<number> {
  if (!(await store.delete(id))) throw notThere(store, id)
  program.stdout.write(`${id.kind}/${id.name} is deleted from ${store.description}\n`)
  return EXIT.done
}

async function validate(stores: readonly RuleStore[], program: Program): Promise<number> {
  const rules: Rule[] = []
  let documentCount = 0
  let problemCount = 0
  for (const store of stores) {
    const { documents, strays } = await store.list()
    documentCount += documents.length
    for (const { where, message } of strays) {
      problemCount++
      program.stdout.write(`${where}: ${message}\n`)
    }
    for (const { kind, name, text, where } of documents) {
      const { rule, problems } = readRule(kind, name, text)
      if (rule !== null) rules.push(rule)
      for (const problem of problems) {
        problemCount++
        program.stdout.write(`${where} (${kind}/${name}): ${problemText(problem)}\n`)
      }
    }
  }
  for (const { rules: names, outputName, namespace } of findOutputConflicts(rules)) {
    problemCount++
    const both = names.map((name) => `rollup/${name}`).join(' and ')
    program.stdout.write(`${both} write the same series ${outputName} in ${namespace}: name one of them differently\n`)
  }
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`
  program.stdout.write(`${count(documentCount, 'rule')}, ${count(problemCount, 'problem')}\n`)
  return problemCount === 0 ? EXIT.done : EXIT.failed
}

function ruleIdOf(given: Arguments): RuleId {
  const text = given.positional(1, 'KIND/NAME')
  const slash = text.indexOf('/')
  const kind = text.slice(0, slash) as RuleKind
  if (slash < 0 || !RULE_KINDS.includes(kind)) {
    throw new CoordinatorError(
      'INVALID_ARGUMENT',
      `rule ${JSON.stringify(text)}: expected KIND/NAME with a kind of ${RULE_KINDS.join(', ')}`,
    )
  }
  return { kind, name: text.slice(slash + 1) }
}

async function documentText(given: Arguments, program: Program): Promise<string> {
  const path = given.positional(2, 'the file with the document, or - for standard input')
  if (path !== '-') return program.readText(program.resolvePath(path))
  const parts: Uint8Array[] = []
  for await (const part of program.readStandardInput()) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}

function notThere(store: RuleStore, { kind, name }: RuleId): CoordinatorError {
  return new CoordinatorError('UNAVAILABLE', `there is no ${kind}/${name} in ${store.description}`)
}
