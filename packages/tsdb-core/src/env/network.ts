/**
 * The network, as far as the store and its aggregator need it: frames between nodes.
 *
 * HTTP is the coordinator's: its server and client stand in its own `env/node` folder.
 */
export interface Network {
  dial(address: string): Promise<Connection>
  listen(address: string, accept: (connection: Connection) => void): Promise<{ close(): Promise<void> }>
}

/** Whole frames in order, or an end. */
export interface Connection {
  send(frame: Uint8Array): Promise<void>
  frames(): AsyncIterable<Uint8Array>
  close(): void
}
