export type { SnappyResult } from './decode.js'
export { decodeSnappy, decodeSnappyInto, snappyDecodedSize } from './decode.js'
export { encodeSnappy, snappySizeMax } from './encode.js'
