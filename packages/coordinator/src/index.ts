export type { CoordinatorErrorCode } from './errors.js'
export { CoordinatorError } from './errors.js'
export type { LogFields, Logger, LogLevel } from './logging/logger.js'
export type { BodyOptions, Handler, HttpRequest, HttpResponse, Permission, RequestHead, Route } from './server/http.js'
