import { Labels } from '@varve/tsdb-core/model'
import { expect, it } from 'vitest'
import { escapeNames, wantedEscaping } from './escape-name.js'

it.each([
  [
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2',
    'allow-utf-8',
  ],
  ['text/plain;version=1.0.0;escaping=values;q=0.3,text/plain;version=1.0.0;escaping=dots;q=0.4', 'dots'],
  ['text/plain;version=0.0.4;q=0.5,*/*;q=0.1', 'underscores'],
  ['text/plain;escaping=otherwise', 'underscores'],
  [undefined, 'underscores'],
])('a scraper that accepts %s is given names as %s', (accept, escaping) => {
  expect(wantedEscaping(accept)).toBe(escaping)
})

it('names are escaped as Prometheus does, those of labels too, and their values are not', () => {
  const series = Labels.from({ __name__: 'http.status:5x_x', 'pärt.of': 'a.b', '9to5': 'c', plain_1: 'd.e' })
  const escaped = (['allow-utf-8', 'underscores', 'dots', 'values'] as const).map(
    (way) => `${escapeNames(series, way)}`,
  )
  expect(escaped).toEqual([
    'http.status:5x_x{9to5="c", plain_1="d.e", pärt.of="a.b"}',
    'http_status:5x_x{_to5="c", p_rt_of="a.b", plain_1="d.e"}',
    'http_dot_status:5x__x{__to5="c", p__rt_dot_of="a.b", plain_1="d.e"}',
    'U__http_2e_status:5x__x{U___39_to5="c", U__p_e4_rt_2e_of="a.b", plain_1="d.e"}',
  ])
})

it('a metric whose name is plain keeps it', () => {
  const series = Labels.from({ __name__: 'work_total', 'a b': 'y', job_1: 'x' })
  expect(`${escapeNames(series, 'dots')}`).toBe('work_total{a__b="y", job_1="x"}')
  expect(`${escapeNames(series, 'values')}`).toBe('work_total{U__a_20_b="y", job_1="x"}')
})

it('of two names that become one the first is kept', () => {
  const series = Labels.from({ __name__: 'm', 'a.b': '1', a_b: '2' })
  expect(`${escapeNames(series, 'underscores')}`).toBe('m{a_b="1"}')
})
