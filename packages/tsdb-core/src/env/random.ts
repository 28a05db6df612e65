export interface Random {
  /** A whole number in [0, 2^32). */
  u32(): number
}
