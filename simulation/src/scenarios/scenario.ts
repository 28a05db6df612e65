/** What a scenario is, for the tests, for `npm run simulate` and for `npm run torture`. */
export interface Scenario {
  readonly name: string
  /** Throws `ScenarioFailure` when a promise was broken. */
  run(options: ScenarioOptions): Promise<ScenarioFigures>
}

export interface ScenarioOptions {
  readonly seed: number
  /** 1 is what the tests run; larger ones try more places and states. */
  readonly scale: number
}

/** Counts, summed over runs. */
export type ScenarioFigures = Readonly<Record<string, number>>

export class ScenarioFailure extends Error {
  readonly allProblems: readonly string[]

  constructor(scenario: string, seed: number, problems: readonly string[], lastCalls: readonly string[] = []) {
    const shown = problems.slice(0, 20).join('\n  ')
    const more = problems.length > 20 ? `\n  and ${problems.length - 20} more` : ''
    const calls = lastCalls.length > 0 ? `\nlast calls to the disk:\n  ${lastCalls.join('\n  ')}` : ''
    super(`npm run simulate -- --scenario ${scenario} --seed ${seed}\n  ${shown}${more}${calls}`)
    this.name = 'ScenarioFailure'
    this.allProblems = problems
  }
}
