/**
 * The same generator, which calls `done` once when it has ended: also when it is given up before it was begun, as for HEAD or a
 * client that has gone. Its own `finally` does not run then.
 */
export function endedBy<Part>(
  parts: AsyncGenerator<Part>,
  done: () => void | Promise<void>,
): AsyncGenerator<Part, void, void> {
  let isDone = false
  const end = async () => {
    if (isDone) return
    isDone = true
    await done()
  }
  const all = (async function* () {
    try {
      yield* parts
    } finally {
      await end()
    }
  })()
  const giveUp = all.return.bind(all)
  all.return = async (value) => {
    try {
      const given = await giveUp(value)
      // Also where they were not begun.
      await parts.return(undefined)
      return given
    } finally {
      await end()
    }
  }
  return all
}
