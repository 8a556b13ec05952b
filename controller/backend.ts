/** What stands behind a controller: the Kubernetes API, or a directory. Everything else is the same for both. */
import type { Authenticator, Leadership } from './distribution/ports.ts'
import type { FabricStore } from './fabric/fabric-store.ts'
import type { Certificates } from './tls/certificates.ts'

export interface Backend extends AsyncDisposable {
  readonly store: FabricStore
  readonly certificates: Certificates
  readonly authenticator: Authenticator
  /** Who leads when this replica does not. */
  readonly elsewhere: () => Leadership & { readonly leads: false }
  /** Keeps everything but leadership going until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
  /**
   * Calls `lead` each time, once `ready` has resolved, this replica leads, with a signal that aborts at once when it no longer does; one at a time.
   * `address` is where agents reach this replica. Returns when the signal has aborted and nothing is left to do.
   */
  leadership(
    lead: (term: AbortSignal) => Promise<void>,
    address: string,
    ready: Promise<void>,
    signal: AbortSignal,
  ): Promise<void>
}
