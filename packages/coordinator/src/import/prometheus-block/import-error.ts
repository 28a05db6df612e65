/** Why a block of another database could not be read. */
export type ImportErrorCode =
  | 'CORRUPT' // bytes that contradict themselves or their checksum: repair the source
  | 'UNSUPPORTED' // a version or chunk encoding that is not known here
  | 'NOT_FOUND' // there is no such block

export class ImportError extends Error {
  readonly code: ImportErrorCode
  constructor(code: ImportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ImportError'
    this.code = code
  }
}
