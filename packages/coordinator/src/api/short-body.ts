/** The whole text when it is one part, which most answers are; else a stream that starts with what was read. */
export async function shortBody(parts: AsyncGenerator<string>): Promise<string | AsyncGenerator<string>> {
  const first = await parts.next()
  if (first.done) return ''
  const second = await parts.next()
  if (second.done) return first.value
  return (async function* () {
    try {
      yield first.value
      yield second.value
      yield* parts
    } finally {
      await parts.return(undefined)
    }
  })()
}
