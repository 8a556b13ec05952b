/**
 * Certificates from files that cert-manager or a person writes. They are read again when they change; what cannot be used
 * leaves what was good in force, and the log says what to do.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { version } from '../../files/directory.ts'
import { messageOf, type Log } from '../../log/log.ts'
import { paired } from './authority-store.ts'
import { validityOf } from './authority.ts'
import type { Certificates, ServingCertificate } from './certificates.ts'
import { Changes } from './changes.ts'
import { Publication } from './publication.ts'
import { TlsError } from './tls-error.ts'
import type { TrustPublisher } from './trust.ts'

export interface FileCertificatesOptions {
  /** Paths of PEM files: the CAs to trust, the certificate with its chain, the key. */
  readonly ca: string
  readonly cert: string
  readonly key: string
  readonly publishers: readonly TrustPublisher[]
  readonly log: Log
  readonly now: () => number
  /** @default 10 seconds */
  readonly checkEveryMs?: number
}

interface Loaded {
  readonly trusted: string
  readonly serving: ServingCertificate
}

const CHECK_EVERY_MS = 10_000

export class FileCertificates implements Certificates {
  readonly #options: FileCertificatesOptions
  readonly #publication: Publication
  readonly #changes = new Changes()
  #seen: string
  #loaded: Loaded

  /** @throws TlsError `FilesInvalid` when the files cannot be used as they are now. */
  constructor(options: FileCertificatesOptions) {
    this.#options = options
    this.#publication = new Publication(options.publishers, options.log)
    this.#seen = this.#versions()
    this.#loaded = load(options)
  }

  get trusted(): string {
    return this.#loaded.trusted
  }

  get serving(): ServingCertificate {
    return this.#loaded.serving
  }

  onChange(changed: () => void, signal: AbortSignal): void {
    this.#changes.onChange(changed, signal)
  }

  /** Follows the files until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.pass(signal)
      await delay(this.#options.checkEveryMs ?? CHECK_EVERY_MS, undefined, { signal }).catch(() => {})
    }
  }

  /** One look at the files. Never rejects. */
  async pass(signal: AbortSignal): Promise<void> {
    this.#reread()
    await this.#publication.publish(this.trusted, signal)
  }

  #reread(): void {
    const seen = this.#versions()
    if (seen === this.#seen) return
    this.#seen = seen
    const { log } = this.#options
    try {
      const loaded = load(this.#options)
      const before = this.#loaded
      if (loaded.trusted === before.trusted && loaded.serving.cert === before.serving.cert) return
      this.#loaded = loaded
      log.info('serving with the certificate from the files', { expires: expiryOf(loaded.serving.cert).toISOString() })
      this.#changes.announce()
    } catch (error) {
      log.error('the certificate files have changed and cannot be used; the ones read before stay in force', {
        error: messageOf(error),
        expires: expiryOf(this.serving.cert).toISOString(),
      })
    }
  }

  #versions(): string {
    const { ca, cert, key } = this.#options
    return [ca, cert, key].map(version).join(' ')
  }
}

function load({ ca, cert, key, now }: FileCertificatesOptions): Loaded {
  const trusted = read('--tls-ca', ca)
  const serving = { cert: read('--tls-cert', cert), key: read('--tls-key', key) }
  try {
    for (const each of trusted.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [''])
      void new X509Certificate(each)
  } catch {
    throw invalid(`--tls-ca ${ca} holds no certificates in PEM`, 'put the certificates of the CA there')
  }
  let fits: boolean
  try {
    fits = paired(serving.cert, serving.key)
  } catch (error) {
    throw invalid(`--tls-cert ${cert} with --tls-key ${key}: ${messageOf(error)}`, 'write both files again')
  }
  if (!fits)
    throw invalid(`the key in --tls-key ${key} is not that of --tls-cert ${cert}`, 'write both files of the same pair')
  const expires = expiryOf(serving.cert)
  if (expires.getTime() <= now())
    throw invalid(`--tls-cert ${cert} has expired on ${expires.toISOString()}`, 'renew it')
  return { trusted, serving }
}

function read(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new TlsError(
      'FilesInvalid',
      `${flag} ${path} cannot be read: ${messageOf(error)}; correct path or permission`,
      {
        cause: error,
      },
    )
  }
}

const invalid = (message: string, remedy: string): TlsError => new TlsError('FilesInvalid', `${message}; ${remedy}`)

const expiryOf = (cert: string): Date => new Date(validityOf(cert).notAfterMs)
