import { CoordinatorError } from '../../errors.js'

/** A text that is not in its format: a 400 that names the line. */
export class FormatError extends CoordinatorError {
  readonly line: number

  constructor(line: number, message: string) {
    super('INVALID_ARGUMENT', `line ${line}: ${message}`)
    this.name = 'FormatError'
    this.line = line
  }
}
