/** What a program without types may hand over: each mistake is an error that says which, never a store that does less. */
import { afterEach, describe, expect, it } from 'vitest'
import { Database } from './database.js'

let database: Database | undefined
afterEach(async () => {
  await database?.close()
  database = undefined
})
const openWith = (options: unknown) =>
  Database.open(options as object).then((opened) => {
    database = opened
  })
const wrong = (message: RegExp | string) => ({
  name: 'StorageError',
  code: 'INVALID_ARGUMENT',
  message: expect.stringMatching(message),
})

describe('options', () => {
  it.each<[string, unknown, RegExp]>([
    ['a misspelt folder', { dir: './x' }, /no option "dir"; there are directory, /],
    ['a letter too few', { direktory: './x' }, /no option "direktory"; there are directory, /],
    ['another case', { syncmode: 'never' }, /no option "syncmode"; there are syncMode, /],
    [
      'of a namespace',
      { namespaces: { default: { retention: 5 } } },
      /namespace default: there is no option "retention"; there are retentionMs, /,
    ],
    ['a namespace that is null', { namespaces: { default: null } }, /namespace default: got null, wanted an object/],
    ['a path alone', './x', /Database.open: got the string "\.\/x", wanted an object with some of directory, /],
    ['a folder that is a number', { directory: 5 }, /directory is 5, wanted the path/],
    ['a sync mode', { syncMode: 'allways' }, /syncMode is the string "allways", wanted always, interval or never/],
    ['a folder without a name', { directory: '' }, /directory is the string "", wanted the path/],
  ])('%s', async (_what, options, message) => {
    await expect(openWith(options)).rejects.toMatchObject(wrong(message))
  })

  it('of namespaces that are made or changed later', async () => {
    await openWith({})
    const misspelt = { resolution: 60_000 } as object
    const message = /namespace rough: there is no option "resolution"; there are resolutionMs, /
    await expect(database?.createNamespace('rough', misspelt)).rejects.toMatchObject(wrong(message))
    expect(database?.hasNamespace('rough')).toBe(false)
    await database?.createNamespace('rough', { resolutionMs: 60_000 })
    await expect(database?.changeNamespace('rough', misspelt)).rejects.toMatchObject(wrong(message))
  })
})

describe('samples as objects', () => {
  const NOW = Date.now()
  const good = { labels: { __name__: 'good' }, timestampMs: NOW, value: 1 }
  const labels = { __name__: 'bad' }
  const sample = { labels, timestampMs: NOW, value: 1 }
  it.each<[string, unknown, RegExp]>([
    [
      'a value that is text',
      { ...sample, value: 'abc' },
      /sample 1 of bad: value is the string "abc", wanted a number/,
    ],
    ['a value that is a number as text', { ...sample, value: '1' }, /sample 1 of bad: value is the string "1"/],
    ['a value that is null', { ...sample, value: null }, /sample 1 of bad: value is null/],
    ['a value that is a bigint', { ...sample, value: 1n }, /sample 1 of bad: value is a bigint/],
    ['no value', { labels, timestampMs: NOW }, /sample 1 of bad: it has neither a value nor a histogram/],
    [
      'a Date',
      { ...sample, timestampMs: new Date() },
      /sample 1 of bad: timestampMs is a Date, wanted a whole number of m/,
    ],
    ['a time as text', { ...sample, timestampMs: '2024-01-01' }, /timestampMs is the string "2024-01-01", wanted/],
    ['half a millisecond', { ...sample, timestampMs: 1.5 }, /timestampMs is 1\.5, wanted a whole number/],
    ['no time', { labels, value: 1 }, /timestampMs is undefined/],
    ['a start that is text', { ...sample, startTimestampMs: '1' }, /startTimestampMs is the string "1"/],
    ['no labels', { timestampMs: NOW, value: 1 }, /sample 1: labels: got undefined, wanted an object/],
    ['empty labels', { ...sample, labels: {} }, /sample 1 of \{\}: wanted a label __name__/],
    ['no metric name', { ...sample, labels: { room: 'x' } }, /sample 1 of \{room="x"\}: wanted a label __name__/],
    [
      'a label that is null',
      { ...sample, labels: { ...labels, a: null } },
      /sample 1: label "a": got null, wanted a str/,
    ],
    [
      'a label that is a number',
      { ...sample, labels: { ...labels, a: 5 } },
      /sample 1: label "a": got 5, wanted a str/,
    ],
    ['labels as text', { ...sample, labels: 'up' }, /sample 1: labels: got the string "up"/],
    ['labels as a list', { ...sample, labels: ['up'] }, /sample 1: labels: got the string "up", wanted a pair/],
    [
      'an empty histogram',
      { labels, timestampMs: NOW, histogram: {} },
      /sample 1 of bad: schema of its histogram is und/,
    ],
    ['null', null, /sample 1: got null, wanted \{ labels, timestampMs, value \}/],
  ])('%s, and then nothing is stored', async (_what, bad, message) => {
    await openWith({})
    await expect(database?.append([good, bad] as never)).rejects.toMatchObject(wrong(message))
    expect(database?.stats().namespaces.get('default')).toMatchObject({ headSeriesCount: 0, headSampleCount: 0 })
    expect(await database?.append([good])).toMatchObject({ appendedCount: 1 })
  })

  it.each([
    ['one sample without a list', good, /append: got an object, wanted an array of samples/],
    ['nothing', undefined, /append: got undefined, wanted an array/],
    ['text', 'up 1', /append: got the string "up 1", wanted an array/],
  ])('%s', async (_what, samples, message) => {
    await openWith({})
    await expect(database?.append(samples as never)).rejects.toMatchObject(wrong(message))
  })
})

describe('requests', () => {
  const filled = async () => {
    await openWith({ namespaces: { default: { retentionMs: Number.POSITIVE_INFINITY } } })
    if (database === undefined) throw new Error('not open')
    await database.append([
      { labels: { __name__: 'up', job: 'a' }, timestampMs: 0, value: 1 },
      { labels: { __name__: 'up', job: 'b' }, timestampMs: Date.now(), value: 1 },
    ])
    return database
  }

  it('for labels need no range and no matchers', async () => {
    const store = await filled()
    expect((await store.labelNames()).values).toEqual(['__name__', 'job'])
    expect((await store.labelValues('job')).values).toEqual(['a', 'b'])
    expect((await store.labelValues('job', { limit: 1 })).values).toEqual(['a'])
    expect((await store.labelValues('job', { startMs: 24 * 3_600_000 })).values).toEqual(['b'])
    expect((await store.series()).series.map(String)).toEqual(['up{job="a"}', 'up{job="b"}'])
    const matchers = [{ name: 'job', operator: '!=', value: 'a' }] as const
    expect((await store.series({ matchers })).series.map(String)).toEqual(['up{job="b"}'])
  })

  it.each<[string, (store: never) => Promise<unknown>, RegExp]>([
    ['a label without name', (store: Database) => store.labelValues(undefined as never), /labelValues: got undefined/],
    [
      'a request that is text',
      (store: Database) => store.series('up' as never),
      /got the string "up", wanted an object/,
    ],
    [
      'matchers as an object',
      (store: Database) => store.series({ matchers: { job: 'a' } as never }),
      /matchers is an object, wanted an array of \{ name, operator, value \}/,
    ],
    [
      'a matcher without operator',
      (store: Database) => store.labelNames({ matchers: [{ name: 'job', value: 'a' } as never] }),
      /matcher 0: name the string "job", operator undefined, value .* wanted two strings and an operator of = != =~ !~/,
    ],
    ['a select of nothing', (store: Database) => store.select(undefined as never), /got undefined, wanted \{ matchers/],
    [
      'a select without range',
      (store: Database) => store.select({ matchers: [] } as never),
      /range \[undefined, undefined\): wanted startMs and endMs/,
    ],
  ])('%s', async (_what, ask, message) => {
    await expect(ask((await filled()) as never)).rejects.toMatchObject(wrong(message))
  })
})
