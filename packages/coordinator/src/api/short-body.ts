/** The whole answer when it is one part, which most answers are; else a stream that starts with what was read. */
export async function shortBody<Part extends string | Uint8Array>(
  parts: AsyncGenerator<Part>,
): Promise<Part | '' | AsyncGenerator<Part>> {
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
