import { parseArgs } from 'node:util'
import { measureIngestShare } from './ingest-share.js'

const { values } = parseArgs({
  options: {
    series: { type: 'string', default: '100000' },
    windows: { type: 'string', default: '12' },
    scrape: { type: 'string', default: '500' },
    native: { type: 'string', default: 'require' },
  },
})
const result = await measureIngestShare(
  {
    seriesCount: Number(values.series),
    scrapeMs: Number(values.scrape),
    scrapesPerWindow: 4,
    windowsPerPhase: Number(values.windows),
    native: values.native === 'off' ? 'off' : 'require',
  },
  console.log,
)
const { share, samplesPerCpuSecond, memoryMiB } = result
console.log(
  `rollups add ${(share * 100).toFixed(1)} % to ingest of ${(samplesPerCpuSecond / 1e6).toFixed(2)} M samples per CPU second; ${memoryMiB.toFixed(0)} MiB`,
)
