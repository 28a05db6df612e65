/** A `Content-Type`, taken apart: type and parameter names in lower case, white space around everything trimmed. */
export function mediaType(header: string): { type: string; parameters: ReadonlyMap<string, string> } {
  const [type, ...rest] = header.split(';')
  const parameters = new Map<string, string>()
  for (const part of rest) {
    const at = part.indexOf('=')
    if (at < 0) continue
    const value = part.slice(at + 1).trim()
    const unquoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
    parameters.set(part.slice(0, at).trim().toLowerCase(), unquoted)
  }
  return { type: type.trim().toLowerCase(), parameters }
}
