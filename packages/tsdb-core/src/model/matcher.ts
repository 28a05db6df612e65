/** A test on one label. An absent label has the empty value. A pattern is RE2 and anchored at both ends. */
export interface Matcher {
  readonly name: string
  readonly operator: MatchOperator
  readonly value: string
}

export type MatchOperator = '=' | '!=' | '=~' | '!~'
