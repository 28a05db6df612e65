/** What the text formats have in common: the error, and how much of a text is looked at in one turn of the event loop. */
import { CoordinatorError } from '../../errors.js'

/** Characters between two chances for the event loop to turn. */
export const TURN_LENGTH = 64 << 10
/** Of a line that is one series: the labels of a series may have 16 KiB. */
export const LINE_LENGTH_MAX = 256 << 10
/** More than any limit of labels that makes sense; nobody has to sort a million of them to learn that they are too many. */
export const LABEL_COUNT_MAX = 1_000

/** A text that is not in its format: a 400 that names the line. */
export class FormatError extends CoordinatorError {
  readonly line: number

  constructor(line: number, message: string) {
    super('INVALID_ARGUMENT', `line ${line}: ${message}`)
    this.name = 'FormatError'
    this.line = line
  }
}
