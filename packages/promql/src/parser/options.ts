/** What the parser accepts, and how much of it. */
export interface ParserOptions {
  /** Functions and aggregations that Prometheus has behind `promql-experimental-functions`. Default: accepted. */
  readonly experimentalFunctions?: boolean
  /** Computed ranges, steps and offsets, `[step() * 2]`. Default: accepted. */
  readonly durationExpressions?: boolean
  /** `anchored` and `smoothed`. Default: accepted. */
  readonly extendedRangeSelectors?: boolean
  /** `fill`, `fill_left` and `fill_right`. Default: accepted. */
  readonly fillModifiers?: boolean
  /** Longest query, in UTF-16 units: reading one takes time and memory in proportion. Default 1,000,000. */
  readonly lengthMax?: number
  /** Highest tree and deepest nesting: everything that walks a tree recurses once a level. Default 500. */
  readonly depthMax?: number
}

export const PARSER_DEFAULTS: Required<ParserOptions> = {
  experimentalFunctions: true,
  durationExpressions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
  lengthMax: 1_000_000,
  depthMax: 500,
}
