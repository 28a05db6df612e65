/**
 * DuckDB, SQLite, LMDB and LevelDB as sample stores, each in the way that suits it: a table of (series, time, value) or keys
 * of (series, time). They are installed apart: `npm install --prefix benchmarks/rivals`.
 */
import { createRequire } from 'node:module'
import type { RecordedFleet } from '../storage/recorded-fleet.js'
import { addUp, type Rival } from './rival.js'

const load = createRequire(new URL('../../rivals/package.json', import.meta.url))
type Sum = { count: number; sum: number }

/** Packages without types of their own here: what is used of them. */
interface DuckModule {
  DuckDBInstance: { create(path: string): Promise<{ connect(): Promise<DuckConnection>; closeSync(): void }> }
}
interface DuckConnection {
  run(sql: string): Promise<unknown>
  runAndReadAll(sql: string): Promise<{ getRows(): [bigint, number | null][] }>
  createAppender(table: string): Promise<{
    appendInteger(value: number): void
    appendBigInt(value: bigint): void
    appendDouble(value: number): void
    endRow(): void
    flushSync(): void
    closeSync(): void
  }>
  closeSync(): void
}
interface SqliteDatabase {
  pragma(text: string): unknown
  exec(sql: string): void
  prepare(sql: string): {
    run(...values: unknown[]): unknown
    get(...values: unknown[]): { c: number; s: number | null }
  }
  transaction(work: () => void): () => void
  close(): void
}
interface LmdbDatabase {
  put(key: [number, number], value: Uint8Array): Promise<boolean>
  getRange(range: { start: [number, number]; end: [number, number] }): Iterable<{ value: Uint8Array }>
  flushed: Promise<boolean>
  close(): Promise<void>
}
interface LevelDatabase {
  open(): Promise<void>
  batch(operations: { type: 'put'; key: Buffer; value: Buffer }[]): Promise<void>
  compactRange(start: Buffer, end: Buffer): Promise<void>
  values(range: {
    gte: Buffer
    lt: Buffer
  }): AsyncIterable<Buffer> & { nextv(size: number): Promise<Buffer[]>; close(): Promise<void> }
  close(): Promise<void>
}

export class DuckRival implements Rival {
  readonly name = 'duckdb'
  readonly #path: string
  #instance: { connect(): Promise<DuckConnection>; closeSync(): void } | undefined
  #connection: DuckConnection | undefined

  constructor(directory: string) {
    this.#path = `${directory}/samples.duckdb`
  }

  async load(recorded: RecordedFleet): Promise<void> {
    await this.reopen()
    const connection = this.#connection as DuckConnection
    await connection.run('CREATE TABLE samples (series INTEGER, time BIGINT, value DOUBLE)')
    const appender = await connection.createAppender('samples')
    for (let i = 0; i < recorded.sampleCount; i++) {
      appender.appendInteger(recorded.series[i])
      appender.appendBigInt(BigInt(recorded.timestampsMs[i]))
      appender.appendDouble(recorded.values[i])
      appender.endRow()
    }
    appender.flushSync()
    appender.closeSync()
    await connection.run('CHECKPOINT')
    await this.close()
  }

  async reopen(): Promise<void> {
    const { DuckDBInstance } = load('@duckdb/node-api') as DuckModule
    this.#instance = await DuckDBInstance.create(this.#path)
    this.#connection = await this.#instance.connect()
  }

  sumOfSeries(series: number): Promise<Sum> {
    return this.#sum(`series = ${series}`)
  }

  sumOfFirst(seriesCount: number): Promise<Sum> {
    return this.#sum(`series < ${seriesCount}`)
  }

  async close(): Promise<void> {
    this.#connection?.closeSync()
    this.#instance?.closeSync()
  }

  async #sum(where: string): Promise<Sum> {
    const sql = `SELECT count(*), sum(value) FILTER (NOT isnan(value)) FROM samples WHERE ${where}`
    const [[count, sum]] = (await (this.#connection as DuckConnection).runAndReadAll(sql)).getRows()
    return { count: Number(count), sum: sum ?? 0 }
  }
}

export class SqliteRival implements Rival {
  readonly name = 'sqlite'
  readonly #path: string
  #database: SqliteDatabase | undefined

  constructor(directory: string) {
    this.#path = `${directory}/samples.sqlite`
  }

  async load(recorded: RecordedFleet): Promise<void> {
    await this.reopen()
    const database = this.#database as SqliteDatabase
    database.exec(
      'CREATE TABLE samples (series INTEGER, time INTEGER, value REAL, PRIMARY KEY (series, time)) WITHOUT ROWID',
    )
    const insert = database.prepare('INSERT INTO samples VALUES (?, ?, ?)')
    for (let from = 0; from < recorded.sampleCount; from += 100_000) {
      const to = Math.min(recorded.sampleCount, from + 100_000)
      database.transaction(() => {
        for (let i = from; i < to; i++) insert.run(recorded.series[i], recorded.timestampsMs[i], recorded.values[i])
      })()
    }
    await this.close()
  }

  async reopen(): Promise<void> {
    const Sqlite = load('better-sqlite3') as new (path: string) => SqliteDatabase
    this.#database = new Sqlite(this.#path)
    this.#database.pragma('journal_mode = WAL')
    this.#database.pragma('synchronous = NORMAL')
  }

  async sumOfSeries(series: number): Promise<Sum> {
    return this.#sum('series = ?', series)
  }

  async sumOfFirst(seriesCount: number): Promise<Sum> {
    return this.#sum('series < ?', seriesCount)
  }

  async close(): Promise<void> {
    this.#database?.close()
  }

  /** SQLite stores NaN as NULL, which a sum leaves out and a count of rows does not. */
  #sum(where: string, value: number): Sum {
    const sql = `SELECT count(*) AS c, sum(value) AS s FROM samples WHERE ${where}`
    const { c, s } = (this.#database as SqliteDatabase).prepare(sql).get(value)
    return { count: c, sum: s ?? 0 }
  }
}

export class LmdbRival implements Rival {
  readonly name = 'lmdb'
  readonly #path: string
  #database: LmdbDatabase | undefined

  constructor(directory: string) {
    this.#path = `${directory}/samples.lmdb`
  }

  async load(recorded: RecordedFleet): Promise<void> {
    await this.reopen()
    const database = this.#database as LmdbDatabase
    for (let i = 0; i < recorded.sampleCount; i++) {
      const written = database.put([recorded.series[i], recorded.timestampsMs[i]], bytesOf(recorded.values, i))
      if (i % 100_000 === 0) await written
    }
    await database.flushed
    await this.close()
  }

  async reopen(): Promise<void> {
    const { open } = load('lmdb') as { open(options: object): LmdbDatabase }
    this.#database = open({ path: this.#path, encoding: 'binary' })
  }

  async sumOfSeries(series: number): Promise<Sum> {
    return this.#sum(series, series + 1)
  }

  async sumOfFirst(seriesCount: number): Promise<Sum> {
    return this.#sum(0, seriesCount)
  }

  async close(): Promise<void> {
    await this.#database?.close()
  }

  #sum(from: number, to: number): Sum {
    const into = { count: 0, sum: 0 }
    for (const { value } of (this.#database as LmdbDatabase).getRange({ start: [from, 0], end: [to, 0] })) {
      addUp([doubleOf(value)], into)
    }
    return into
  }
}

export class LevelRival implements Rival {
  readonly name = 'leveldb'
  readonly #path: string
  #database: LevelDatabase | undefined

  constructor(directory: string) {
    this.#path = `${directory}/samples.leveldb`
  }

  async load(recorded: RecordedFleet): Promise<void> {
    await this.reopen()
    const database = this.#database as LevelDatabase
    for (let from = 0; from < recorded.sampleCount; from += 10_000) {
      const operations: { type: 'put'; key: Buffer; value: Buffer }[] = []
      for (let i = from; i < Math.min(recorded.sampleCount, from + 10_000); i++) {
        const key = keyOf(recorded.series[i], recorded.timestampsMs[i])
        operations.push({ type: 'put', key, value: Buffer.from(bytesOf(recorded.values, i)) })
      }
      await database.batch(operations)
    }
    await database.compactRange(keyOf(0, 0), keyOf(0xffffffff, 0))
    await this.close()
  }

  async reopen(): Promise<void> {
    const { ClassicLevel } = load('classic-level') as {
      ClassicLevel: new (path: string, options: object) => LevelDatabase
    }
    this.#database = new ClassicLevel(this.#path, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await this.#database.open()
  }

  sumOfSeries(series: number): Promise<Sum> {
    return this.#sum(series, series + 1)
  }

  sumOfFirst(seriesCount: number): Promise<Sum> {
    return this.#sum(0, seriesCount)
  }

  async close(): Promise<void> {
    await this.#database?.close()
  }

  async #sum(from: number, to: number): Promise<Sum> {
    const into = { count: 0, sum: 0 }
    const values = (this.#database as LevelDatabase).values({ gte: keyOf(from, 0), lt: keyOf(to, 0) })
    for (;;) {
      const some = await values.nextv(1_000)
      if (some.length === 0) break
      for (const value of some) addUp([doubleOf(value)], into)
    }
    await values.close()
    return into
  }
}

function bytesOf(values: Float64Array, index: number): Uint8Array {
  return new Uint8Array(values.buffer.slice(values.byteOffset + index * 8, values.byteOffset + index * 8 + 8))
}

function doubleOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true)
}

/** Big-endian, so that keys sort by series, then by time. */
function keyOf(series: number, timestampMs: number): Buffer {
  const key = Buffer.alloc(12)
  key.writeUInt32BE(series, 0)
  key.writeBigUInt64BE(BigInt(timestampMs), 4)
  return key
}
