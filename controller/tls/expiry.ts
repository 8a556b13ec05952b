/** When certificates end, for the metric that alerts look at. */
import { validityOf } from './authority.ts'
import type { Certificates } from './certificates.ts'

export interface Expiry {
  /** Milliseconds since the epoch; undefined: it cannot be read. */
  readonly servingMs: number | undefined
  /** The last of the authorities that are trusted: then nobody believes anything any more. */
  readonly caMs: number | undefined
}

export function expiryOf({ trusted, serving }: Pick<Certificates, 'trusted' | 'serving'>): Expiry {
  const authorities = trusted.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  const ends = authorities.flatMap((each) => endOf(each) ?? [])
  return { servingMs: endOf(serving.cert), caMs: ends.length === 0 ? undefined : Math.max(...ends) }
}

function endOf(cert: string): number | undefined {
  try {
    return validityOf(cert).notAfterMs
  } catch {
    return undefined
  }
}
