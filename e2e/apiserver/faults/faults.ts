/** What goes wrong on demand, request by request. What goes wrong with connections as a whole is in front.ts. */
import type { RequestInfo, Verb } from '../http/route.ts'

export type Fault =
  /** The connection is reset instead of an answer. */
  | { readonly kind: 'reset' }
  /** The request is taken and never answered. */
  | { readonly kind: 'stall' }
  /** An answer with a Status of this code: 429 and 503 with Retry-After. The request is not carried out. */
  | { readonly kind: 'status'; readonly code: number; readonly retryAfterSeconds?: number; readonly message?: string }
  /** Answered so much later. */
  | { readonly kind: 'slow'; readonly milliseconds: number }
  /** Carried out; then the connection is reset instead of the answer. */
  | { readonly kind: 'lost-answer' }

/** Which requests; what is absent matches all. */
export interface Match {
  readonly verb?: Verb
  /** `l3vnis.nodeleaf.io` */
  readonly resource?: string
  readonly subresource?: string
  readonly name?: string
  readonly user?: string
}

export interface FaultOptions {
  readonly match?: Match
  /** How many requests it meets. @default all until it is removed */
  readonly times?: number
}

interface Active {
  readonly fault: Fault
  readonly match: Match
  left: number
}

export class Faults {
  readonly #active = new Set<Active>()

  /** Switches a fault on; the returned function switches it off. */
  add(fault: Fault, { match = {}, times = Infinity }: FaultOptions = {}): () => void {
    const active = { fault, match, left: times }
    this.#active.add(active)
    return () => this.#active.delete(active)
  }

  clear(): void {
    this.#active.clear()
  }

  /** The fault that this request meets, the oldest first. */
  take(info: RequestInfo, user: string): Fault | undefined {
    for (const active of this.#active) {
      if (!fits(active.match, info, user)) continue
      active.left -= 1
      if (active.left <= 0) this.#active.delete(active)
      return active.fault
    }
    return undefined
  }
}

export function fits({ verb, resource, subresource, name, user }: Match, info: RequestInfo, who: string): boolean {
  const key = info.group === '' ? info.plural : `${info.plural}.${info.group}`
  return (
    (verb === undefined || verb === info.verb) &&
    (resource === undefined || resource === key) &&
    (subresource === undefined || subresource === info.subresource) &&
    (name === undefined || name === info.name) &&
    (user === undefined || user === who)
  )
}
