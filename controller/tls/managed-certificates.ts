/**
 * Certificates that the controller makes itself. All replicas share the authorities; each has a serving certificate of
 * its own, whose key never leaves its memory.
 *
 * Every pass looks at everything again: read the authorities, renew them where it is time, tell everyone whom to trust,
 * and only then sign. While the store is away the replica goes on with what it knows.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf, type Log } from '../../log/log.ts'
import type { AuthorityStore } from './authority-store.ts'
import { createAuthority, issueServing, signed, validityOf, type Authority } from './authority.ts'
import type { Certificates, ServingCertificate } from './certificates.ts'
import { Changes } from './changes.ts'
import { Publication } from './publication.ts'
import { isDue, planRotation, type Lifetimes, type RotationPlan } from './rotation.ts'
import { TlsError } from './tls-error.ts'
import type { TrustPublisher } from './trust.ts'

export interface ManagedCertificatesOptions {
  readonly store: AuthorityStore
  readonly publishers: readonly TrustPublisher[]
  readonly lifetimes: Lifetimes
  /** What this replica is reached by. */
  readonly dns: readonly string[]
  readonly addresses: readonly string[]
  readonly log: Log
  /** Time of day. */
  readonly now: () => number
  /** @default 15 seconds: so long other replicas may not know an authority that was made anew. */
  readonly checkEveryMs?: number
}

const CHECK_EVERY_MS = 15_000

/** More replicas than this never race at once. */
const ATTEMPTS = 10

export class ManagedCertificates implements Certificates {
  readonly #options: ManagedCertificatesOptions
  readonly #publication: Publication
  readonly #changes = new Changes()
  #authorities: readonly Authority[] = []
  #trusted = ''
  #serving: ServingCertificate | undefined
  #failing: string | undefined

  private constructor(options: ManagedCertificatesOptions) {
    this.#options = options
    this.#publication = new Publication(options.publishers, options.log)
  }

  /** Tries until there are certificates to serve with, or the signal aborts (then it rejects). */
  static async create(options: ManagedCertificatesOptions, signal: AbortSignal): Promise<ManagedCertificates> {
    const certificates = new ManagedCertificates(options)
    while (certificates.#serving === undefined) {
      signal.throwIfAborted()
      await certificates.pass(signal)
      if (certificates.#serving === undefined) await delay(Math.min(1000, certificates.#everyMs), undefined, { signal })
    }
    return certificates
  }

  get trusted(): string {
    return this.#trusted
  }

  get serving(): ServingCertificate {
    if (this.#serving === undefined) throw new TlsError('StoreInvalid', 'there is no serving certificate yet')
    return this.#serving
  }

  onChange(changed: () => void, signal: AbortSignal): void {
    this.#changes.onChange(changed, signal)
  }

  /** Keeps everything up to date until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(this.#everyMs, undefined, { signal }).catch(() => {})
      if (!signal.aborted) await this.pass(signal)
    }
  }

  /** One look at everything. Never rejects: what fails is logged once and tried again at the next pass. */
  async pass(signal: AbortSignal): Promise<void> {
    try {
      await this.#learn(signal)
      const told = await this.#publication.publish(this.#trusted, signal)
      await this.#sign(told)
    } catch (error) {
      this.#fails(error, signal)
    }
  }

  get #everyMs(): number {
    return this.#options.checkEveryMs ?? CHECK_EVERY_MS
  }

  async #learn(signal: AbortSignal): Promise<void> {
    try {
      this.#authorities = await this.#shared(signal)
      if (this.#failing !== undefined) this.#options.log.info('the CA can be read again')
      this.#failing = undefined
    } catch (error) {
      if (this.#authorities.length === 0) throw error
      this.#fails(error, signal)
    }
    const trusted = this.#authorities.map((each) => each.cert).join('')
    if (trusted === this.#trusted) return
    this.#trusted = trusted
    this.#changes.announce()
  }

  /** The authorities as all replicas have them, renewed where it is time. */
  async #shared(signal: AbortSignal): Promise<readonly Authority[]> {
    const { store, now, log, lifetimes } = this.#options
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const stored = await store.read(signal)
      const before = stored?.authorities ?? []
      const plan = planRotation(before, now())
      if (!plan.create && plan.authorities.length === before.length) return plan.authorities
      const next = await renewed(plan, now(), lifetimes)
      if (!(await store.write(next, stored?.version, signal))) continue
      if (plan.create) log.info('made a new CA', { expires: expiry(next.at(-1)), trusted: next.length })
      if (plan.authorities.length < before.length) log.info('a CA has expired and is trusted no longer')
      // In the order in which they are read back.
      return planRotation(next, now()).authorities
    }
    throw new TlsError('StoreBusy', `the CA was changed by others ${ATTEMPTS} times in a row`)
  }

  /** Before everyone was told of a new authority, the one that signed last signs again. */
  async #sign(told: boolean): Promise<void> {
    const { now, lifetimes, log, dns, addresses } = this.#options
    const current = this.#serving
    const plan = planRotation(this.#authorities, now())
    // What is valid from tomorrow was issued by a clock that has been put right since.
    const valid = current && validityOf(current.cert).notBeforeMs <= now()
    const known = valid ? plan.authorities.find((each) => signed(each, current.cert)) : undefined
    if (current && known && !isDue(validityOf(current.cert), now())) return
    const signer = told || known === undefined ? plan.signer : known
    if (!signer) return
    this.#serving = await issueServing(signer, { dns, addresses }, now(), lifetimes.servingMs)
    log.info('serving with a new certificate', { expires: expiry(this.#serving) })
    this.#changes.announce()
  }

  #fails(error: unknown, signal: AbortSignal): void {
    const message = messageOf(error)
    if (!signal.aborted && message !== this.#failing)
      this.#options.log.warn('cannot read or renew the CA; trying again', { error: message })
    this.#failing = message
  }
}

async function renewed(plan: RotationPlan, nowMs: number, lifetimes: Lifetimes): Promise<readonly Authority[]> {
  if (!plan.create) return plan.authorities
  return [...plan.authorities, await createAuthority(nowMs, lifetimes.authorityMs)]
}

function expiry(issued: { readonly cert: string } | undefined): string {
  return issued ? new Date(validityOf(issued.cert).notAfterMs).toISOString() : ''
}
