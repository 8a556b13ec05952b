/** A certificate or a token: whoever presents a certificate of the CA is judged by it, all others by their token. */
import type { Authenticator } from './ports.ts'

export function either(certificate: Authenticator, token: Authenticator): Authenticator {
  return {
    identify: (credentials, signal) => (credentials.certificate ? certificate : token).identify(credentials, signal),
  }
}
