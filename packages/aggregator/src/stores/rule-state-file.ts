/**
 * The rules and their history in a local file, so that a start without etcd uses the last ones (DESIGN D13).
 *
 * Layout: docs/formats/rule-state.md. A msgpackr map with a version, after a magic number and before a checksum.
 */
import type { FileSystem } from '@varve/tsdb-core/env'
import { AggregatorError, messageOf } from '../errors.js'
import type { RuleKind } from '../rules/rule.js'
import { RuleBook, type RuleEntry, type RuleVersion } from '../rules/rule-book.js'
import { readRule } from '../rules/rule-reader.js'
import { decodeStateFile, encodeStateFile } from './state-file.js'
import { folderOf, readWholeFile, replaceWholeFile } from './whole-file.js'

/** `VRVR`. */
const FORMAT = { magic: [0x56, 0x52, 0x56, 0x52], version: 1 }

export function encodeRuleBook(book: RuleBook): Uint8Array {
  const rules = book.entries().map(
    (entry) =>
      new Map<string, unknown>([
        ['kind', entry.kind],
        ['name', entry.name],
        ['where', entry.where],
        [
          'versions',
          entry.versions.map(
            (version) =>
              new Map<string, unknown>([
                ['revision', version.revision],
                ['fromMs', version.fromMs],
                ['seenMs', version.seenMs],
                ['text', version.rule === null ? null : version.text],
              ]),
          ),
        ],
      ]),
  )
  return encodeStateFile(
    FORMAT,
    new Map<string, unknown>([
      ['revision', book.revision],
      ['rules', rules],
    ]),
  )
}

/** @throws {AggregatorError} `CORRUPT` when the bytes are not such a file, `where` names it. */
export function decodeRuleBook(bytes: Uint8Array, where: string): RuleBook {
  const body = decodeStateFile(FORMAT, bytes, where)
  try {
    const rules = body.get('rules') as Map<string, unknown>[]
    const book = new RuleBook()
    book.restore(body.get('revision') as number, rules.map(entryOf))
    return book
  } catch (cause) {
    throw new AggregatorError('CORRUPT', `${where}: ${messageOf(cause)}`, { cause })
  }
}

function entryOf(map: Map<string, unknown>): RuleEntry {
  const kind = map.get('kind') as RuleKind
  const name = map.get('name') as string
  const versions = (map.get('versions') as Map<string, unknown>[]).map((version): RuleVersion => {
    const text = version.get('text') as string | null
    // A text that was good for an older program and is not for this one counts as deleted from its time on.
    const rule = text === null ? null : readRule(kind, name, text).rule
    return {
      revision: version.get('revision') as number,
      fromMs: version.get('fromMs') as number,
      seenMs: version.get('seenMs') as number,
      text: text ?? '',
      rule,
    }
  })
  return { kind, name, where: map.get('where') as string, versions, problems: [], badRevision: 0 }
}

/** The state file: null when there is none yet. @throws {AggregatorError} `CORRUPT`. */
export async function readRuleBook(files: FileSystem, path: string): Promise<RuleBook | null> {
  const bytes = await readWholeFile(files, path)
  return bytes === null ? null : decodeRuleBook(bytes, path)
}

export async function writeRuleBook(files: FileSystem, path: string, book: RuleBook): Promise<void> {
  await files.makeDirectory(folderOf(path))
  await replaceWholeFile(files, path, encodeRuleBook(book))
}
