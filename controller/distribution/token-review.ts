/**
 * Who calls, by a projected ServiceAccount token: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
 * The API server checks the signature, the time, the audience and that the Pod still exists (TokenReview); here it is
 * checked that the token is of the agent's ServiceAccount, and on which node its Pod runs.
 */
import { createHash } from 'node:crypto'
import type { Authenticator, Credentials, Identity } from './ports.ts'

/** Status of a TokenReview (authentication.k8s.io/v1). */
export interface TokenReviewStatus {
  readonly authenticated?: boolean
  readonly audiences?: readonly string[]
  readonly error?: string
  readonly user?: {
    readonly username?: string
    readonly extra?: Readonly<Record<string, readonly string[]>>
  }
}

export interface PodFacts {
  readonly uid: string
  /** Absent: not scheduled. */
  readonly nodeName?: string
}

/** What is needed of the Kubernetes API. Both throw when it cannot be asked. */
export interface TokenApi {
  /** Posts a TokenReview with these audiences. */
  review(token: string, audiences: readonly string[], signal: AbortSignal): Promise<TokenReviewStatus>
  /** undefined: there is no such Pod. */
  pod(namespace: string, name: string, signal: AbortSignal): Promise<PodFacts | undefined>
}

export interface TokenReviewOptions {
  readonly api: TokenApi
  /** Where the agents run. */
  readonly namespace: string
  /** @default nodeleaf-agent */
  readonly serviceAccount?: string
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number
}

export const AUDIENCE = 'nodeleaf'

const NODE_NAME = 'authentication.kubernetes.io/node-name'
const POD_NAME = 'authentication.kubernetes.io/pod-name'
const POD_UID = 'authentication.kubernetes.io/pod-uid'

/** A good answer is believed for so long; a bad one is asked for again. */
const CACHE_MS = 60_000
const CACHE_SIZE = 20_000
/** A token whose end cannot be read is looked at again after this. */
const UNKNOWN_LIFE_MS = 3_600_000
const MAX_TOKEN_LENGTH = 16_384

type NodeIdentity = Identity & { readonly type: 'node' }

export function tokenReview(options: TokenReviewOptions): Authenticator {
  const { api, namespace, serviceAccount = 'nodeleaf-agent', now = Date.now } = options
  const username = `system:serviceaccount:${namespace}:${serviceAccount}`
  const cache = new Cache()

  async function ask(token: string, signal: AbortSignal): Promise<Identity> {
    const review = await api.review(token, [AUDIENCE], signal)
    if (review.authenticated !== true) return notAuthenticated(token, review.error, now())
    // Without audiences the API server has not looked at them (TokenReview, status.audiences).
    if (!review.audiences?.includes(AUDIENCE))
      return refused('WrongAudience', `the token is not for the audience ${AUDIENCE}`)
    const { username: theirs, extra = {} } = review.user ?? {}
    if (theirs !== username)
      return refused('WrongServiceAccount', `the token is of ${theirs ?? 'nobody'}, not of ${username}`)
    const node = extra[NODE_NAME]?.[0] ?? (await nodeOfPod(extra, signal))
    if (!node) return refused('NotNodeBound', 'the token is not bound to a Pod on a node; it must be a projected token')
    return { type: 'node', node, expiresAtMs: claimsOf(token).exp ?? now() + UNKNOWN_LIFE_MS }
  }

  /** Kubernetes before 1.32 says which Pod the token is bound to, but not the node. */
  async function nodeOfPod(extra: Readonly<Record<string, readonly string[]>>, signal: AbortSignal) {
    const [name, uid] = [extra[POD_NAME]?.[0], extra[POD_UID]?.[0]]
    if (!name || !uid) return undefined
    const pod = await api.pod(namespace, name, signal)
    // A Pod of the same name may be another one.
    return pod?.uid === uid ? pod.nodeName : undefined
  }

  return {
    async identify({ token }: Credentials, signal): Promise<Identity> {
      if (token === undefined)
        return refused('NoToken', 'neither a token nor a certificate of the CA came with the call')
      if (token.length > MAX_TOKEN_LENGTH) return refused('TokenRejected', 'the token is too long to be one')
      const key = createHash('sha256').update(token).digest('base64')
      const known = cache.get(key, now())
      if (known) return known
      const identity = await ask(token, signal)
      if (identity.type === 'node' && (identity.expiresAtMs ?? 0) <= now())
        return refused('TokenExpired', 'the token has expired')
      if (identity.type === 'node') cache.set(key, identity, now())
      return identity
    },
  }
}

const refused = (reason: string, message: string): Identity => ({ type: 'refused', reason, message })

/** The API server only says no; what the token says of itself is good enough for a log. */
function notAuthenticated(token: string, error: string | undefined, now: number): Identity {
  const { exp, aud } = claimsOf(token)
  const said = (error ?? 'no reason given').replaceAll(token, '***').slice(0, 512)
  if (exp !== undefined && exp <= now) return refused('TokenExpired', `the token has expired (${said})`)
  if (aud && !aud.includes(AUDIENCE))
    return refused('WrongAudience', `the token is not for the audience ${AUDIENCE} (${said})`)
  return refused('TokenRejected', `the API server does not accept the token: ${said}`)
}

interface Claims {
  /** Milliseconds since the epoch. */
  readonly exp?: number
  readonly aud?: readonly unknown[]
}

/** Of a JWT (RFC 7519), unverified; nothing of anything else. */
function claimsOf(token: string): Claims {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    if (typeof claims !== 'object' || claims === null) return {}
    const { exp, aud } = claims as { readonly exp?: unknown; readonly aud?: unknown }
    return {
      ...(typeof exp === 'number' && Number.isFinite(exp) ? { exp: exp * 1000 } : {}),
      ...(aud === undefined ? {} : { aud: Array.isArray(aud) ? aud : [aud] }),
    }
  } catch {
    return {}
  }
}

/** Good answers by hash of the token, so that an agent that comes back soon costs no request. */
class Cache {
  readonly #entries = new Map<string, { readonly identity: NodeIdentity; readonly untilMs: number }>()

  get(key: string, now: number): NodeIdentity | undefined {
    const entry = this.#entries.get(key)
    if (entry && entry.untilMs > now) return entry.identity
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, identity: NodeIdentity, now: number): void {
    const untilMs = Math.min(now + CACHE_MS, identity.expiresAtMs ?? Infinity)
    this.#entries.set(key, { identity, untilMs })
    // In the order in which they came, which is about the order in which they end.
    for (const [oldest, entry] of this.#entries) {
      if (entry.untilMs > now && this.#entries.size <= CACHE_SIZE) break
      this.#entries.delete(oldest)
    }
  }
}
