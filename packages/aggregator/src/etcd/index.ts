/** The etcd client. An entry of its own, since the etcd library takes most of a second to load and few need it. */
export { Etcd3Client } from './etcd3-client.js'
