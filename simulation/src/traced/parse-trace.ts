/**
 * The calls to a disk in the words of the simulated one, from the lines of `strace -f -y`.
 *
 * A write to a file that was opened with O_DSYNC is a write and a sync. Threads make calls at once only where the store does, so that
 * the end of a call is its place in the order.
 */
export const TRACED_CALLS =
  'openat,pwrite64,write,writev,pwritev,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,mkdir,mkdirat,ftruncate'

/** Operations on paths below `root`, which they are without. */
export function parseTrace(text: string, root: string): string[] {
  const operations: string[] = []
  const unfinished = new Map<string, string>()
  const existing = new Set<string>()
  const synced = new Set<string>()
  for (const line of text.split('\n')) {
    const [, thread, rest] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    if (thread === undefined) continue
    const begun = /^(.*) <unfinished \.\.\.>$/.exec(rest)
    if (begun !== null) {
      unfinished.set(thread, begun[1])
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const call = resumed === null ? rest : `${unfinished.get(thread) ?? ''}${resumed[1]}`
    const [, name, parameters, result] = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(call) ?? []
    if (name === undefined || Number(result) < 0) continue
    const quoted = [...parameters.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, path]) => path)
    const [, descriptor] = /^\d+<([^>]*)>/.exec(parameters) ?? []
    const paths = (descriptor === undefined ? quoted : [descriptor]).filter((path) => path.startsWith(root))
    if (paths.length === 0 || paths.some((path) => path.includes('/LOCK'))) continue
    const [path, target] = paths.map((each) => each.slice(root.length) || '/')
    switch (name) {
      case 'openat':
        if (parameters.includes('O_DSYNC')) synced.add(path)
        if (parameters.includes('O_CREAT') && !existing.has(path)) operations.push(`create ${path}`)
        if (parameters.includes('O_CREAT')) existing.add(path)
        break
      case 'pwrite64':
      case 'write':
      case 'writev':
      case 'pwritev':
        operations.push(`write ${path}`)
        if (synced.has(path)) operations.push(`sync ${path}`)
        break
      case 'fdatasync':
        operations.push(`sync ${path}`)
        break
      case 'fsync':
        operations.push(`syncDirectory ${path}`)
        break
      case 'ftruncate':
        operations.push(`truncate ${path}`)
        break
      case 'mkdir':
      case 'mkdirat':
        operations.push(`makeDirectory ${path}`)
        break
      case 'link':
      case 'linkat':
        operations.push(`link ${path} as ${target}`)
        break
      case 'unlink':
      case 'unlinkat':
      case 'rmdir':
        operations.push(`remove ${path}`)
        existing.delete(path)
        break
      default:
        operations.push(`rename ${path} to ${target}`)
        existing.delete(path)
        existing.add(target)
        if (synced.has(path)) synced.add(target)
    }
  }
  return operations
}
