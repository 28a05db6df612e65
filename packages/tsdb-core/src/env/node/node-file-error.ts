import { FileError, type FileErrorCode } from '../file-system.js'

const CODES: Record<string, FileErrorCode> = {
  ENOENT: 'NOT_FOUND',
  ENOTDIR: 'NOT_FOUND',
  EEXIST: 'EXISTS',
  ENOSPC: 'NO_SPACE',
  EDQUOT: 'NO_SPACE',
}

/** Awaits `work` and turns its failure into a `FileError` that says what was being done to what. */
export async function during<T>(action: string, what: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw fileErrorOf(action, what, error)
  }
}

export function fileErrorOf(action: string, what: string, error: unknown): FileError {
  const cause = error as NodeJS.ErrnoException
  const code = CODES[cause.code ?? ''] ?? 'IO'
  return new FileError(code, `cannot ${action} ${what}: ${cause.code ?? cause.message}`, { cause })
}
