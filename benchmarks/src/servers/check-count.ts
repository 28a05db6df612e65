import { request } from 'undici'
import type { Fleet } from '../fleet/fleet.js'

/** A server that has lost samples was fast for nothing. VictoriaMetrics shows the latest a second later. */
export async function checkCount(url: string, fleet: Fleet): Promise<void> {
  const { startMs, stepMs, steps } = fleet.options
  const end = (startMs + steps * stepMs) / 1000
  const name = 'node_load1'
  const wanted = fleet.series.reduce(
    (sum, { labels, fromStep, toStep, endsStale }) =>
      labels[labels.indexOf('__name__') + 1] === name ? sum + toStep - fromStep - (endsStale ? 1 : 0) : sum,
    0,
  )
  const range = Math.ceil((steps * stepMs) / 1000) + 3600
  const query = `sum(count_over_time(${name}[${range}s]))`
  let got = Number.NaN
  for (let attempt = 0; attempt < 10; attempt++) {
    const answer = await request(`${url}/api/v1/query?${new URLSearchParams({ query, time: String(end) })}`)
    const { data } = (await answer.body.json()) as { data: { result: { value: [number, string] }[] } }
    got = Number(data?.result[0]?.value[1])
    if (got === wanted) return
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
  throw new Error(`${url} holds ${got} samples of ${name}, wanted ${wanted}`)
}
