/** `GET /`: where things are, for a person who has come with a browser. No script, no style, nothing from the store. */
import { GET, type Route } from '../server/http.js'

const LINKS: readonly (readonly [path: string, what: string])[] = [
  ['/api/v1/query?query=up', 'an instant query; Grafana wants this server as a data source of type Prometheus'],
  ['/api/v1/label/__name__/values', 'names of all metrics'],
  ['/api/v1/status/tsdb', 'what takes most series'],
  ['/api/v1/status/namespaces', 'namespaces: raw samples and resolutions'],
  ['/api/v1/rollup-rules', 'rollup rules in force'],
  ['/api/v1/status/config', 'the configuration in force'],
  ['/metrics', "the server's own metrics"],
  ['/-/ready', 'whether it is ready'],
]

export function indexRoute(version: string, prefix: string): Route {
  const pathPrefix = encodeURI(prefix)
  const items = LINKS.map(([path, what]) => `<li><a href="${pathPrefix}${path}">${path.split('?')[0]}</a> ${what}</li>`)
  const body = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Varve</title></head>
<body><h1>Varve ${version}</h1>
<p>Prometheus writes to <code>${pathPrefix}/api/v1/write</code> and reads from <code>${pathPrefix}/api/v1/read</code>.</p>
<ul>
${items.join('\n')}
</ul></body></html>
`
  return {
    methods: GET,
    path: '/',
    permission: 'read',
    handle: async () => ({
      status: 200,
      headers: {
        'Content-Type': 'text/html; charset=utf-8',
        'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
        'X-Content-Type-Options': 'nosniff',
      },
      body,
    }),
  }
}
