/** How long distribution waits for others, and how much of them it takes at a time. */
export interface Bounds {
  /** For the Authenticator. */
  readonly identifyMs: number
  /** For somebody to lead, while nobody is known to: the agent is kept, which costs less than a dial after the other. */
  readonly electionMs: number
  readonly helloMs: number
  /** For the agent's end of a connection to answer a ping; then the connection is taken for dead. */
  readonly pongMs: number
  /** For the stream to take one message. */
  readonly stallMs: number
  /** For the agent to have an update on its disk. */
  readonly acknowledgementMs: number
  /** For the agent to take a stream's end; then its connection is cut. */
  readonly hangUpMs: number
  /** For everything when the controller stops. */
  readonly stopMs: number
  /** Large updates at a time. */
  readonly largeUpdates: number
  /** Agents looked up at a time. */
  readonly identifications: number
  /** Messages an agent may send in a second; what is more waits in its own buffers. */
  readonly messagesPerSecond: number
}

export const defaultBounds: Bounds = {
  identifyMs: 30_000,
  electionMs: 15_000,
  helloMs: 10_000,
  pongMs: 3000,
  stallMs: 15_000,
  acknowledgementMs: 60_000,
  hangUpMs: 2000,
  stopMs: 2000,
  largeUpdates: 32,
  identifications: 64,
  messagesPerSecond: 50,
}
