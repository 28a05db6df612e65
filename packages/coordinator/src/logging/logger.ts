/** Structured lines: fields first, a constant message after them, so that a message can be searched for. */
export interface Logger {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  /** A logger whose lines all carry `fields`. */
  child(fields: LogFields): Logger
}

/** `error` may hold an `Error`. Text from requests is escaped and cut by the logger. */
export type LogFields = Readonly<Record<string, unknown>>

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** For tests and for library use: says nothing. */
export const SILENT: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => SILENT,
}
