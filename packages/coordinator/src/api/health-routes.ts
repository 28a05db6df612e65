/** `/-/healthy`, `/-/ready`, `/metrics`: answered in every phase of the process. */
import type { Metrics } from '../metrics/metrics.js'
import { GET, type Route, textResponse } from '../server/http.js'

export type Phase = 'starting' | 'ready' | 'stopping'

export interface HealthRoutesOptions {
  readonly phase: () => Phase
  readonly metrics: Metrics
}

export function healthRoutes({ phase, metrics }: HealthRoutesOptions): Route[] {
  const ready: Route['handle'] = async () => {
    const now = phase()
    if (now === 'ready') return textResponse(200, 'Varve is Ready.')
    return textResponse(503, now === 'starting' ? 'Varve is starting.' : 'Varve is stopping.', {
      'X-Prometheus-Stopping': String(now === 'stopping'),
      'Retry-After': '1',
    })
  }
  return [
    {
      methods: GET,
      path: '/-/healthy',
      permission: 'public',
      handle: async () => textResponse(200, 'Varve is Healthy.'),
    },
    { methods: GET, path: '/-/ready', permission: 'public', handle: ready },
    {
      methods: GET,
      path: '/metrics',
      permission: 'read',
      handle: async () => ({
        status: 200,
        headers: { 'Content-Type': metrics.contentType },
        body: await metrics.text(),
      }),
    },
  ]
}
