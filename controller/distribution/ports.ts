/** What distribution needs of the rest of the controller, and tells it: small interfaces, kept at their consumer. */
import type { PlanVersion } from '../../api/plan/plan-version.ts'
import type { Detail, Hello, Report } from '../../api/wire/generated/distribution_pb.ts'

export interface PlanBook {
  /** What the node should have now; undefined: nothing is known of the node yet, so it is told nothing. */
  current(node: string): PlanVersion | undefined
}

/** Told what agents say. Called in the order in which it comes; must not throw. */
export interface AgentObserver {
  connected(node: string, hello: Hello): void
  /** The stream is gone; the node has no other one. */
  disconnected(node: string): void
  /** The node has this revision on its disk; `error` says why a newer one was not taken. */
  acknowledged(node: string, revision: string, error: string | undefined): void
  reported(node: string, report: Report): void
  detailed(node: string, detail: Detail): void
}

/** What came with a call. */
export interface Credentials {
  /** Of the `authorization: Bearer` header. */
  readonly token?: string
  /** DER of the client's certificate, when it presented one that the CA signed. */
  readonly certificate?: Uint8Array
  /** For the log. */
  readonly peer: string
}

export type Identity =
  | { readonly type: 'node'; readonly node: string; readonly expiresAtMs?: number }
  /** `reason` is one CamelCase word, counted in a metric; `message` is logged. Neither holds the token. */
  | { readonly type: 'refused'; readonly reason: string; readonly message: string }

/** Who calls. @throws when it cannot find out now: the agent shall come again. */
export interface Authenticator {
  identify(credentials: Credentials, signal: AbortSignal): Promise<Identity>
}

export type Leadership =
  | { readonly leads: true }
  /** `leader` is ADDRESS:PORT of who does, if known. */
  | { readonly leads: false; readonly leader?: string }
