/** Run by node-file-system.test.ts: takes a lock and holds it until killed. */
import { nodeFileSystem } from './node-file-system.js'

nodeFileSystem()
  .lock(process.argv[2])
  .then(
    () => process.send!('locked'),
    (error) => process.send!(String(error.message)),
  )
setInterval(() => {}, 1000)
