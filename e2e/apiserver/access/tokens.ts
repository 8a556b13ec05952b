/**
 * ServiceAccount tokens: issued by the `token` subresource, reviewed by TokenReview.
 * https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto'
import { isFields, type Fields } from '../object.ts'
import type { Store } from '../store/store.ts'
import type { User } from './user.ts'

export interface Bound {
  readonly kind: 'Pod' | 'Node' | 'Secret'
  readonly name: string
  readonly uid?: string
}

export interface TokenOrder {
  readonly namespace: string
  readonly name: string
  readonly audiences: readonly string[]
  /** From now on; a negative one makes a token that has expired. */
  readonly expirationSeconds: number
  readonly bound?: Bound
}

export type Review = { readonly user: User; readonly audiences: readonly string[] } | { readonly error: string }

interface Claims {
  readonly aud: readonly string[]
  readonly exp: number
  readonly iss: string
  readonly jti: string
  readonly sub: string
  readonly 'kubernetes.io': {
    readonly namespace: string
    readonly serviceaccount: Reference
    readonly pod?: Reference
    readonly node?: Reference
    readonly secret?: Reference
  }
}

interface Reference {
  readonly name: string
  readonly uid: string
}

/** PEM of a new signing key. */
export function newSigningKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

export class Tokens {
  readonly #store: Store
  readonly #private: KeyObject
  readonly #public: KeyObject
  readonly #now: () => number
  readonly issuer = 'https://kubernetes.default.svc.cluster.local'

  constructor(store: Store, signingKey: string, now: () => number) {
    this.#store = store
    this.#private = createPrivateKey(signingKey)
    this.#public = createPublicKey(this.#private)
    this.#now = now
  }

  /** The ServiceAccount and what the token is bound to need not exist: then their uid is made up. */
  issue({ namespace, name, audiences, expirationSeconds, bound }: TokenOrder): { token: string; expires: number } {
    const now = Math.floor(this.#now() / 1000)
    const account = this.#store.get('serviceaccounts', namespace, name)
    const expires = now + expirationSeconds
    const claims = {
      aud: audiences,
      exp: expires,
      iat: Math.min(now, expires),
      iss: this.issuer,
      jti: randomUUID(),
      'kubernetes.io': {
        namespace,
        serviceaccount: { name, uid: account?.metadata.uid ?? randomUUID() },
        ...(bound ? this.#boundClaims(namespace, bound) : {}),
      },
      nbf: Math.min(now, expires),
      sub: `system:serviceaccount:${namespace}:${name}`,
    }
    const signed = `${part({ alg: 'ES256', kid: 'nodeleaf-e2e', typ: 'JWT' })}.${part(claims)}`
    const signature = sign('sha256', Buffer.from(signed), { key: this.#private, dsaEncoding: 'ieee-p1363' })
    return { token: `${signed}.${signature.toString('base64url')}`, expires }
  }

  /** A token bound to a Pod that runs on a node carries that node too (since Kubernetes 1.32). */
  #boundClaims(namespace: string, { kind, name, uid }: Bound): Fields {
    const plural = `${kind.toLowerCase()}s`
    const object = this.#store.get(plural, kind === 'Node' ? undefined : namespace, name)
    const own = { [kind.toLowerCase()]: { name, uid: uid ?? object?.metadata.uid ?? randomUUID() } }
    const nodeName = kind === 'Pod' && isFields(object?.['spec']) ? object['spec']['nodeName'] : undefined
    if (typeof nodeName !== 'string') return own
    const node = this.#store.get('nodes', undefined, nodeName)
    return { ...own, node: { name: nodeName, ...(node?.metadata.uid === undefined ? {} : { uid: node.metadata.uid }) } }
  }

  /** Whose token it is, if it is good for one of the audiences: now, and for as long as what it is bound to exists. */
  review(token: string, audiences: readonly string[] = [this.issuer]): Review {
    const claims = this.#verified(token)
    if (!claims) return { error: 'invalid bearer token' }
    if (claims.exp * 1000 <= this.#now()) return { error: 'invalid bearer token, service account token has expired' }
    const common = audiences.filter((each) => claims.aud.includes(each))
    if (common.length === 0)
      return {
        error: `invalid bearer token, token audiences ${JSON.stringify(claims.aud)} is invalid for the target audiences ${JSON.stringify(audiences)}`,
      }
    const { namespace, serviceaccount, pod, node } = claims['kubernetes.io']
    const account = this.#store.get('serviceaccounts', namespace, serviceaccount.name)
    if (account?.metadata.uid !== serviceaccount.uid)
      return { error: 'invalid bearer token, service account token has been invalidated' }
    if (pod && this.#store.get('pods', namespace, pod.name)?.metadata.uid !== pod.uid)
      return { error: 'invalid bearer token, service account token has been invalidated: pod not found' }
    if (node && !pod && this.#store.get('nodes', undefined, node.name)?.metadata.uid !== node.uid)
      return { error: 'invalid bearer token, service account token has been invalidated: node not found' }
    return { user: userOf(claims), audiences: common }
  }

  #verified(token: string): Claims | undefined {
    const [head, body, signature, ...rest] = token.split('.')
    if (head === undefined || body === undefined || signature === undefined || rest.length > 0) return undefined
    const key = { key: this.#public, dsaEncoding: 'ieee-p1363' } as const
    if (!verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) return undefined
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims
    return claims.iss === this.issuer ? claims : undefined
  }
}

function userOf({ sub, jti, 'kubernetes.io': { namespace, serviceaccount, pod, node } }: Claims): User {
  const prefix = 'authentication.kubernetes.io'
  return {
    username: sub,
    uid: serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra: {
      [`${prefix}/credential-id`]: [`JTI=${jti}`],
      ...(node ? { [`${prefix}/node-name`]: [node.name] } : {}),
      ...(node?.uid === undefined ? {} : { [`${prefix}/node-uid`]: [node.uid] }),
      ...(pod ? { [`${prefix}/pod-name`]: [pod.name], [`${prefix}/pod-uid`]: [pod.uid] } : {}),
    },
  }
}
