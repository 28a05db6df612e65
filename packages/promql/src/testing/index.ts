/** Generated series and queries, for tests of other packages. */
export type { LoadSample, LoadSeries } from '../scripts/load.js'
export { generatedSeries } from './generated-data.js'
export { SeededRandom } from './random.js'
export { wideSeries } from './wide-data.js'
export { WideQueryGenerator, type WideQueryOptions } from './wide-query.js'
