/** Certificates in use, whoever issues them: the controller itself, cert-manager, or a person. */

export interface ServingCertificate {
  /** PEM, leaf first. */
  readonly cert: string
  /** PEM. Never logged. */
  readonly key: string
}

export interface Certificates {
  /** PEM of every CA that is to be trusted now: during a rotation the old one and the new one. */
  readonly trusted: string
  readonly serving: ServingCertificate
  /** Calls `changed` after each change until the signal aborts. */
  onChange(changed: () => void, signal: AbortSignal): void
}
