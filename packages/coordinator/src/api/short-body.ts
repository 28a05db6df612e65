import { endedBy } from './ended-by.js'

/**
 * The whole answer when it is one part, which most answers are; else a stream that starts with what was read.
 *
 * @param partSizeMin every part but the last has so many bytes or characters at least.
 */
export async function shortBody<Part extends string | Uint8Array>(
  parts: AsyncGenerator<Part>,
  partSizeMin: number,
): Promise<Part | '' | AsyncGenerator<Part>> {
  const first = await parts.next()
  if (first.done) return ''
  if (first.value.length < partSizeMin) {
    await parts.return(undefined)
    return first.value
  }
  // What was read goes out at once: the client reads it while the next part is made.
  const all = (async function* () {
    yield first.value
    yield* parts
  })()
  return endedBy(all, async () => void (await parts.return(undefined)))
}
