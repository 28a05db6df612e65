import { describe, expect, test } from 'vitest'
import { Parameters, parseDurationMs, parseTimeMs, TIME_MS_MAX, TIME_MS_MIN } from './parameters.js'

function parametersFrom(query: string, form?: string) {
  return new Parameters({
    method: form === undefined ? 'GET' : 'POST',
    header: (name) => (name === 'content-type' ? 'application/x-www-form-urlencoded; charset=utf-8' : undefined),
    body: new TextEncoder().encode(form ?? ''),
    query: new URLSearchParams(query),
  })
}

describe('times', () => {
  test.each([
    ['4', 4000],
    ['1.5', 1500],
    ['1.0006', 1001],
    ['-1.5', -1500],
    ['1e9', 1_000_000_000_000],
    ['2015-07-01T20:10:51.781Z', 1_435_781_451_781],
    ['2015-06-03T13:21:58.555+01:30', 1_433_332_318_555],
    ['2015-07-01T20:10:51.7819999Z', 1_435_781_451_781],
    ['-292273086-05-16T16:47:06Z', TIME_MS_MIN],
    ['292277025-08-18T07:12:54.999999999Z', TIME_MS_MAX],
    ['1700000000000', 1_700_000_000_000_000],
    ['1e300', TIME_MS_MAX],
    ['+Inf', TIME_MS_MAX],
  ])('%s', (text, timeMs) => {
    expect(parseTimeMs(text)).toBe(timeMs)
  })

  test.each(['', '30s', 'foo', 'NaN', '2015-06-03', '0x10', '1e400', '2015-13-01T00:00:00Z'])('%j is none', (text) => {
    expect(parseTimeMs(text)).toBeNull()
  })

  test('errors have the words of Prometheus, which differ by endpoint', () => {
    const parameters = parametersFrom('time=foo&limit=-1&step=x&start=2015')
    expect(() => parameters.timeMs('time')).toThrow('invalid parameter "time": cannot parse "foo" to a valid timestamp')
    expect(() => parameters.timeMsOr('time', 0)).toThrow(
      'invalid parameter "time": invalid time value for \'time\': cannot parse "foo" to a valid timestamp',
    )
    expect(() => parameters.limit()).toThrow('invalid parameter "limit": limit must be non-negative')
    expect(() => parameters.durationMs('step')).toThrow(
      'invalid parameter "step": cannot parse "x" to a valid duration',
    )
    expect(parameters.timeMs('start')).toBe(2_015_000)
    expect(() => parametersFrom('limit=1.5').limit()).toThrow('strconv.Atoi: parsing "1.5": invalid syntax')
    const digits = '99999999999999999999'
    expect(() => parametersFrom(`limit=${digits}`).limit()).toThrow(
      `strconv.Atoi: parsing "${digits}": value out of range`,
    )
    expect(parametersFrom('limit=9223372036854775807').limit()).toBe(0)
    expect(() => parametersFrom('limit=-9223372036854775807').limit()).toThrow('limit must be non-negative')
  })
})

describe('durations', () => {
  test.each([
    ['1', 1000],
    ['0.5', 500],
    ['1m', 60_000],
    ['1h30m', 5_400_000],
    ['123ms', 123],
    ['1y', 31_536_000_000],
    ['0', 0],
    ['-5', -5000],
  ])('%s', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms)
  })

  test.each(['', '1m1h', 'm', '1 m', '-1m', '1.5h'])('%j is none', (text) => {
    expect(parseDurationMs(text)).toContain('to a valid duration')
  })

  test('what overflows Go says so', () => {
    expect(parseDurationMs('1e30')).toContain('It overflows int64')
    expect(parseDurationMs('NaN')).toBeLessThan(0)
  })
})

describe('a form body and the URL together', () => {
  test('the body wins, lists are joined', () => {
    const parameters = parametersFrom('query=a&match[]=x', 'query=b%2Bc&match[]=y&match[]=z')
    expect(parameters.get('query')).toBe('b+c')
    expect(parameters.getAll('match[]')).toEqual(['y', 'z', 'x'])
    expect(parameters.get('toString')).toBe('')
  })
})
