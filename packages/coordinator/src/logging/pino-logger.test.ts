import { expect, test } from 'vitest'
import { JsonLogger } from './pino-logger.js'
import { Secret } from './secret.js'

function logged(run: (logger: JsonLogger) => void) {
  const lines: string[] = []
  run(JsonLogger.create({ level: 'info', destination: { write: (line) => lines.push(line) } }))
  return lines
}

test('a line is one line of JSON, whatever a client sent', () => {
  const [line] = logged((logger) => logger.info({ query: 'a\n{"level":"error"}\u202e\u0085b' }, 'slow query'))
  expect(line.trimEnd()).not.toContain('\n')
  expect(line).not.toMatch(/[\u202e\u0085]/)
  expect(JSON.parse(line)).toMatchObject({ level: 'info', msg: 'slow query' })
})

test('secrets are stars, wherever they stand', () => {
  const [line] = logged((logger) => logger.warn({ config: { password: new Secret('hunter2') } }, 'loaded'))
  expect(line).toContain('***')
  expect(line).not.toContain('hunter2')
})

test('an error shows its code and cause, long texts are cut', () => {
  const error = new Error('x'.repeat(1000), { cause: new Error('underneath') })
  const entry = JSON.parse(logged((logger) => logger.error({ error }, 'failed'))[0])
  expect(entry.error.message.length).toBeLessThan(300)
  expect(entry.error.cause.message).toBe('underneath')
})

test('lines below the level are not written', () => {
  expect(logged((logger) => logger.debug({}, 'detail'))).toEqual([])
})
