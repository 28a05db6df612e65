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
