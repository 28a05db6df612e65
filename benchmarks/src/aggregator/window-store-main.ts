import { parseArgs } from 'node:util'
import { measureWindowStore } from './window-store.js'

const { values } = parseArgs({
  options: { series: { type: 'string', default: '100000' }, windows: { type: 'string', default: '48' } },
})
const cost = await measureWindowStore({ seriesCount: Number(values.series), windows: Number(values.windows) })
console.log(
  `${values.series} series, ${values.windows} windows: ${cost.nsPerSeries.toFixed(0)} ns a series and window (${cost.systemNsPerSeries.toFixed(0)} of the kernel), ` +
    `longest call ${cost.turnMsMax.toFixed(1)} ms, ${cost.headBytesPerValue.toFixed(2)} bytes a value in the head, ${cost.logBytesPerSeries.toFixed(1)} in the log a series`,
)
