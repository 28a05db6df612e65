import { parseArgs } from 'node:util'
import { measureMatching, measureRollupCost } from './rollup-cost.js'

const { values } = parseArgs({
  options: { small: { type: 'boolean', default: false }, series: { type: 'string' }, minutes: { type: 'string' } },
})
const seriesCount = Number(values.series ?? (values.small ? 2000 : 100_000))
const minutes = Number(values.minutes ?? (values.small ? 2 : 4))
console.log(`match a new series, 1,000 rules: ${measureMatching(1000).toFixed(2)} µs`)
const cost = await measureRollupCost({ seriesCount, minutes, scrapeMs: 15_000 })
console.log(
  `${seriesCount} series every 15 s, 10 mapping and 10 rollup rules at 1m, ${minutes} minutes, ${cost.rowCount} rows`,
)
console.log(
  `append ${cost.ingestCpuMs.toFixed(0)} ms CPU, rollups ${cost.rollupCpuMs.toFixed(0)} ms CPU: ${(cost.share * 100).toFixed(1)} %`,
)
console.log(`longest turn ${cost.turnMsMax.toFixed(1)} ms, 99 % under ${cost.turnMsP99.toFixed(1)} ms`)
