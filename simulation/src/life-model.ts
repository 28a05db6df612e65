/** Everything that must be there of a database: its namespaces and its watermark. */
import { ExtraNamespace, type FoundNamespace } from './extra-namespace.js'
import { FLEET } from './fleet.js'
import { type FoundSample, SampleModel } from './sample-model.js'

export interface FoundLife {
  readonly raw: ReadonlyMap<string, readonly FoundSample[]>
  readonly rollups: ReadonlyMap<string, readonly FoundSample[]>
  readonly extra: FoundNamespace
  readonly watermarkMs: number
}

export class LifeModel {
  raw = new SampleModel()
  rollups = new SampleModel()
  extra = new ExtraNamespace()
  /** The last watermark that was acknowledged, and the last that was asked for. */
  watermarkMsMin = 0
  watermarkMsMax = 0

  clone(): LifeModel {
    const copy = new LifeModel()
    copy.raw = this.raw.clone()
    copy.rollups = this.rollups.clone()
    copy.extra = this.extra.clone()
    copy.watermarkMsMin = this.watermarkMsMin
    copy.watermarkMsMax = this.watermarkMsMax
    return copy
  }

  check(found: FoundLife, standAlone: ReadonlySet<number>): string[] {
    return [
      ...this.raw.check(found.raw),
      ...this.rollups.check(found.rollups),
      ...this.extra.check(found.extra),
      ...this.#checkWatermark(found, standAlone),
    ]
  }

  settle(found: FoundLife): void {
    this.raw.settle(found.raw)
    this.rollups.settle(found.rollups)
    this.extra.settle(found.extra)
  }

  #checkWatermark({ rollups, watermarkMs }: FoundLife, standAlone: ReadonlySet<number>): string[] {
    const newestMs = rollups.get(FLEET[0].toString())?.at(-1)?.timestampMs ?? 0
    const problems: string[] = []
    if (watermarkMs < this.watermarkMsMin) problems.push(`watermark ${watermarkMs} fell behind ${this.watermarkMsMin}`)
    if (watermarkMs > this.watermarkMsMax) problems.push(`watermark ${watermarkMs} was never written`)
    // A refused record is not in the log, but its window may stay in the head, from where it may be sealed.
    const isHalf = watermarkMs > newestMs || (watermarkMs < newestMs && !standAlone.has(newestMs))
    if (isHalf) problems.push(`watermark ${watermarkMs} and the newest window ${newestMs} are not of one record`)
    if (problems.length === 0) this.watermarkMsMin = watermarkMs
    return problems
  }
}
