/** How the connection to the controller stands, for people. Times are milliseconds since 1970. */

export interface Connection {
  /** As configured: ADDRESS:PORT. */
  readonly address: string
  /**
   * `connecting`: dialling, or waiting for a welcome. `connected`: welcome. `waiting`: for the next attempt. `refused`: for
   * the next attempt too, but somebody has to change something first.
   */
  readonly state: 'connecting' | 'connected' | 'waiting' | 'refused'
  readonly since: number
  /** Who welcomed last. */
  readonly replica?: string
  readonly lastContact?: number
  /** Why the last stream or attempt ended; holds no secret. */
  readonly lastError?: string
  /** Of `refused`: in one CamelCase word. */
  readonly reason?: 'Unauthenticated' | 'PermissionDenied' | 'VersionMismatch'
}
