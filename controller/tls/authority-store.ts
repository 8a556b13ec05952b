/** Where replicas keep the authorities they share, and how those are written down. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { messageOf } from '../../log/log.ts'
import type { Authority } from './authority.ts'
import { TlsError } from './tls-error.ts'

export interface StoredAuthorities {
  readonly authorities: readonly Authority[]
  /** Changes with every write. */
  readonly version: string
}

/** Optimistic concurrency: who read what is no longer there writes nothing. */
export interface AuthorityStore {
  /** Undefined: nothing is kept yet. @throws TlsError `StoreInvalid` when what is kept cannot be used. */
  read(signal: AbortSignal): Promise<StoredAuthorities | undefined>
  /** Replaces what had this version; without one, there must be nothing yet. False: somebody was faster, read again. */
  write(authorities: readonly Authority[], version: string | undefined, signal: AbortSignal): Promise<boolean>
}

/** Certificate and key as one authority. @throws an Error that says what is wrong, without the key. */
export function checkedAuthority(cert: unknown, key: unknown): Authority {
  if (typeof cert !== 'string' || typeof key !== 'string') throw new Error('an authority is a certificate and its key')
  if (!paired(cert, key)) throw new Error('the key does not belong to the certificate')
  if (!new X509Certificate(cert).ca) throw new Error('the certificate is not that of an authority')
  return { cert, key }
}

/** Whether the key (PEM) is that of the first certificate. @throws when one of them is none; the message holds nothing of it. */
export function paired(cert: string, key: string): boolean {
  const certificate = attempt('it holds no certificate in PEM', () => new X509Certificate(cert))
  const privateKey = attempt('it holds no private key in PEM', () => createPrivateKey(key))
  return certificate.checkPrivateKey(privateKey)
}

/** OpenSSL's own words are no help, and nobody has promised that they never quote their input. */
function attempt<T>(otherwise: string, read: () => T): T {
  try {
    return read()
  } catch {
    throw new Error(otherwise)
  }
}

export function storeInvalid(where: string, error: unknown): TlsError {
  return new TlsError(
    'StoreInvalid',
    `${where} cannot be used: ${messageOf(error)}; restore it, or delete it to have a new authority`,
    { cause: error },
  )
}
