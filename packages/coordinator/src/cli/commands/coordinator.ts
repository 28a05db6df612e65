/** `varve coordinator`: the server. */
import { nativeStatus } from '@varve/native'
import { accessControl } from '../../auth/access-control.js'
import type { Config } from '../../config/schema.js'
import { formatDuration } from '../../config/units.js'
import { Coordinator } from '../../coordinator.js'
import { HttpServer } from '../../env/node/http-server.js'
import { passwordWorker } from '../../env/node/password-worker.js'
import { checkTls } from '../../env/node/tls-server.js'
import { CoordinatorError } from '../../errors.js'
import { clientConnection } from '../../fanout/client-connection.js'
import { Relabeller } from '../../ingest/door/relabel.js'
import { JsonLogger } from '../../logging/pino-logger.js'
import { etcdOptions } from '../../rules/etcd-rules.js'
import { VERSION } from '../../version.js'
import type { Arguments, Command } from '../command.js'
import { CONFIG_FLAGS } from '../coordinator-flags.js'
import { EXIT, type Program } from '../program.js'
import { readConfiguration, rulesPath } from '../read-configuration.js'

/** After an orderly stop nothing holds the process; if something does, it ends anyway. */
const LINGER_MS = 300

export const coordinatorCommand: Command = {
  name: 'coordinator',
  summary: 'store what Prometheus writes, answer PromQL, roll up by rules',
  usage: ['[flags]', '--config varve.yaml', '--config varve.yaml --check-config'],
  positionalCountMax: 0,
  flags: [
    { name: 'config', type: 'string', value: 'FILE', help: 'settings in YAML; flags win over it' },
    { name: 'check-config', type: 'boolean', help: 'check the settings and end' },
    ...CONFIG_FLAGS,
  ],
  more: `Every flag is also an environment variable: VARVE_DATA_DIR, VARVE_LISTEN, … VARVE_NATIVE=off|auto|require chooses
whether the Rust module is used.

SIGTERM stops in order, SIGHUP reads the configuration again. All settings: docs/configuration.md`,
  run,
}

async function run(given: Arguments, program: Program): Promise<number> {
  const readConfig = () => readConfiguration(given, program)
  const config = await readConfig()
  if (given.isSet('check-config')) {
    await checkFiles(config, program)
    program.stdout.write('the configuration is good\n')
    return EXIT.done
  }
  const native = nativeStatus()
  const logger = JsonLogger.create({ level: config.log.level, destination: program.stderr })
  const passwords = passwordWorker()
  const dataDirectory = program.resolvePath(config.storage.data_dir)
  const coordinator = await Coordinator.start({
    config,
    env: program.env,
    logger,
    runtime: program.runtime,
    listen: (options) => HttpServer.listen(options),
    passwords,
    http: program.http,
    readText: (path) => program.readText(program.resolvePath(path)),
    dataDirectory,
    rulesPath: rulesPath(config, program),
    readConfig: async () => {
      const read = await readConfig()
      logger.level = read.log.level
      return read
    },
  })
  program.stdout.write(banner(config, coordinator.url, { dataDirectory, rules: rulesPath(config, program) }, native))
  logger.info({ url: coordinator.url, dataDirectory, version: VERSION }, 'ready')
  program.onReload(() => void coordinator.reload().catch(() => {})) // It is in the log.
  const signal = await new Promise<string>((resolve) => program.onStop(resolve))
  logger.info({ signal }, 'stopping')
  await coordinator.stop()
  await passwords.close()
  await program.http.close()
  logger.info({}, 'stopped')
  program.exitAfter(LINGER_MS, EXIT.done)
  return EXIT.done
}

/** Reads all that the start would read besides the settings. @throws {CoordinatorError} `INVALID_CONFIG` */
async function checkFiles(config: Config, program: Program): Promise<void> {
  const passwords = passwordWorker()
  const readText = (path: string) => program.readText(program.resolvePath(path))
  try {
    const tlsOf = await accessControl({
      config,
      readText,
      passwords,
      clock: program.env.clock,
      cacheKey: new Uint8Array(32),
    })
    if (tlsOf.tls !== null) checkTls(tlsOf.tls)
  } finally {
    await passwords.close()
  }
  new Relabeller(config.ingest.relabel)
  for (const key of ['remote_read', 'remote_write'] as const) {
    for (const target of config[key]) await named(`${key} ${target.name}`, clientConnection(target, readText))
  }
  await named('etcd', etcdOptions(config.etcd, readText))
}

async function named(what: string, check: Promise<unknown>): Promise<void> {
  try {
    await check
  } catch (error) {
    throw new CoordinatorError('INVALID_CONFIG', `${what}: ${(error as Error).message}`, { cause: error })
  }
}

function banner(
  config: Config,
  url: string,
  { dataDirectory, rules }: { dataDirectory: string; rules: string },
  native: ReturnType<typeof nativeStatus>,
): string {
  const source =
    config.etcd.endpoints.length > 0
      ? `etcd ${config.etcd.endpoints.join(', ')} under ${config.etcd.prefix}`
      : `${rules}${config.rules === undefined ? ' (--etcd URL or --rules PATH chooses another place)' : ''}`
  const selfScrape = config.self_scrape === 'off' ? 'off' : `every ${formatDuration(config.self_scrape)}`
  return `varve ${VERSION}
  address    ${url}
  data       ${dataDirectory}, raw samples kept ${config.storage.retention === Infinity ? 'forever' : formatDuration(config.storage.retention)}
  native     ${native.loaded ? `yes, ${native.source}` : `no, TypeScript does the work: ${native.reason?.split(': ')[0]}`}
  rules      ${source}
  own data   ${selfScrape}

  For prometheus.yml:            For Grafana: a data source of type Prometheus
    remote_write:                with the URL ${url}
      - url: ${url}/api/v1/write
    remote_read:
      - url: ${url}/api/v1/read
        read_recent: true

`
}
