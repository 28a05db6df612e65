export type { MemoryQueryableOptions, MemoryValue } from './memory-queryable.js'
export { MemoryQueryable, STALE } from './memory-queryable.js'
