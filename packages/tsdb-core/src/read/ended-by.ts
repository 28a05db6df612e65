/** The same generator, which calls `done` also when it is ended before it was begun: its own `finally` does not run then. */
export function endedBy<T>(values: AsyncGenerator<T>, done: () => void | Promise<void>): AsyncGenerator<T> {
  const end = values.return.bind(values)
  values.return = (value) => end(value).finally(done)
  return values
}
