/**
 * Rules that are to be applied to stored samples, and how far that is. Kept in a file, so that a restart goes on.
 *
 * What a backfill writes is what the windows would have been, under the same keys: doing a part of it twice changes nothing.
 */
import type { FileSystem } from '@varve/tsdb-core/env'
import { decodeStateFile, encodeStateFile } from '../stores/state-file.js'
import { folderOf, readWholeFile, replaceWholeFile } from '../stores/whole-file.js'

export interface Backfill {
  /** `rollup/requests`. */
  readonly rule: string
  readonly namespace: string
  /** Windows that end in `(fromMs, untilMs]`. */
  readonly fromMs: number
  readonly untilMs: number
  /** All windows up to here are done. */
  readonly doneMs: number
  /** Names of outputs that an earlier version of the rule wrote: they are removed where the rule now makes others. */
  readonly replacedNames: readonly string[]
}

/** `VRVB`. */
const FORMAT = { magic: [0x56, 0x52, 0x56, 0x42], version: 1 }

export class BackfillQueue {
  readonly #files: FileSystem
  readonly #path: string | null
  #jobs: Backfill[] = []

  constructor(files: FileSystem, path: string | null) {
    this.#files = files
    this.#path = path
  }

  get jobs(): readonly Backfill[] {
    return this.#jobs
  }

  /** @throws {AggregatorError} `CORRUPT`. */
  async load(): Promise<void> {
    const bytes = this.#path === null ? null : await readWholeFile(this.#files, this.#path)
    if (bytes === null || this.#path === null) return
    const body = decodeStateFile(FORMAT, bytes, this.#path)
    this.#jobs = (body.get('jobs') as Map<string, unknown>[]).map(
      (job) => Object.fromEntries(job) as unknown as Backfill,
    )
  }

  /** Adds a job; one of the same rule and namespace that is under way is replaced by one that covers both. */
  async add(job: Backfill): Promise<void> {
    const same = this.#jobs.find(({ rule, namespace }) => rule === job.rule && namespace === job.namespace)
    this.#jobs = this.#jobs.filter((other) => other !== same)
    const fromMs = Math.min(job.fromMs, same?.doneMs ?? job.fromMs)
    const replacedNames = [...new Set([...(same?.replacedNames ?? []), ...job.replacedNames])]
    this.#jobs.push({
      ...job,
      fromMs,
      doneMs: fromMs,
      untilMs: Math.max(job.untilMs, same?.untilMs ?? 0),
      replacedNames,
    })
    await this.#save()
  }

  async progress(job: Backfill, doneMs: number): Promise<void> {
    this.#jobs = this.#jobs.flatMap((other) =>
      other !== job ? [other] : doneMs >= job.untilMs ? [] : [{ ...job, doneMs }],
    )
    await this.#save()
  }

  async #save(): Promise<void> {
    if (this.#path === null) return
    const jobs = this.#jobs.map((job) => new Map(Object.entries(job)))
    await this.#files.makeDirectory(folderOf(this.#path))
    await replaceWholeFile(this.#files, this.#path, encodeStateFile(FORMAT, new Map([['jobs', jobs]])))
  }
}
