/**
 * Lines of JSON on standard error, through pino. What comes from requests cannot forge a line or a terminal command:
 * control and direction characters are escaped and long texts are cut.
 */
import { type Logger as PinoLogger, pino } from 'pino'
import type { LogFields, Logger, LogLevel } from './logger.js'

const TEXT_LENGTH_MAX = 256
const STACK_LENGTH_MAX = 2_000
const DEPTH_MAX = 3
/** C0 and C1 controls, and the marks that turn the reading direction around. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

export interface LogDestination {
  write(line: string): void
}

export class JsonLogger implements Logger {
  readonly #pino: PinoLogger

  private constructor(inner: PinoLogger) {
    this.#pino = inner
  }

  static create(options: { level: LogLevel; destination: LogDestination }): JsonLogger {
    const settings = {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
    }
    return new JsonLogger(pino(settings, options.destination))
  }

  set level(level: LogLevel) {
    this.#pino.level = level
  }

  debug(fields: LogFields, message: string): void {
    if (this.#pino.isLevelEnabled('debug')) this.#pino.debug(safeFields(fields), message)
  }

  info(fields: LogFields, message: string): void {
    this.#pino.info(safeFields(fields), message)
  }

  warn(fields: LogFields, message: string): void {
    this.#pino.warn(safeFields(fields), message)
  }

  error(fields: LogFields, message: string): void {
    this.#pino.error(safeFields(fields), message)
  }

  child(fields: LogFields): Logger {
    return new JsonLogger(this.#pino.child(safeFields(fields)))
  }
}

function safeFields(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, safeValue(value, DEPTH_MAX)]))
}

function safeValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return safeText(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return safeError(value, depth)
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function')
    return safeText(String((value as { toJSON(): unknown }).toJSON()))
  if (depth === 0) return '…'
  if (Array.isArray(value)) return value.slice(0, 20).map((item) => safeValue(item, depth - 1))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [safeText(key), safeValue(item, depth - 1)]))
}

function safeError(error: Error, depth: number): Record<string, unknown> {
  const code = (error as { code?: unknown }).code
  return {
    name: error.name,
    message: safeText(error.message),
    ...(code === undefined ? {} : { code: safeText(String(code)) }),
    ...(error.cause === undefined || depth === 0 ? {} : { cause: safeValue(error.cause, depth - 1) }),
    stack: (error.stack ?? '').slice(0, STACK_LENGTH_MAX).replace(UNSAFE, (c) => (c === '\n' ? '\n' : escaped(c))),
  }
}

export function safeText(text: string): string {
  const cut = text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text
  return cut.replace(UNSAFE, escaped)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
