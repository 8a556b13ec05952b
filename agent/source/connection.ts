/** How the connection to the controller stands, for people. Times are milliseconds since 1970. */

export interface Connection {
  /** As configured: ADDRESS:PORT. */
  readonly address: string
  /**
   * `connecting`: for the first time. `connected`: welcome. `away`: it does not answer, or another one leads; tried again
   * and again. `refused`: tried again too, but somebody has to change something first.
   */
  readonly state: 'connecting' | 'connected' | 'away' | 'refused'
  readonly since: number
  /** Who welcomed last. */
  readonly replica?: string
  readonly lastContact?: number
  /** Why the last stream or attempt ended; holds no secret. */
  readonly lastError?: string
  /** When the certificate that proves the node ends, as it was presented last. */
  readonly certificateEnds?: number
  /** Of `refused`: in one CamelCase word. */
  readonly reason?: 'Unauthenticated' | 'PermissionDenied' | 'VersionMismatch'
}
