export { crc32c } from './crc32c.js'
export { CodecError, type CodecErrorCode } from './errors.js'
