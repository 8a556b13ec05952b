/**
 * Conversations with the kernel, held side by side.
 *
 * What an operation asks may depend on what was answered before (a link has a number when it is made). Written as a
 * generator it reads as if it were alone; `converse` takes the next question of each of many and sends them as one.
 */
import type { Message, Request } from './netlink/message.ts'
import { NetlinkError } from './netlink/netlink-error.ts'
import type { Namespace } from './objects.ts'

/** Requests that do not depend on each other's answers. The kernel takes all of them, whatever becomes of one. */
export interface Ask {
  readonly namespace: Namespace
  readonly requests: readonly Request[]
}

/** Goes on when all it asked was done; the first refusal is thrown into it. */
export type Talk = Generator<Ask, void, void>

/** One result a request, in order. */
export type Send = (namespace: Namespace, requests: readonly Request[]) => readonly (Message[] | NetlinkError)[]

/** How a talk or an operation ended. */
export type Outcome = { readonly done: true } | { readonly done: false; readonly error: unknown }

export const DONE: Outcome = { done: true }

/** One outcome a talk, in order. What they ask in the same turn arrives in their order, a namespace at a time. */
export function converse(talks: readonly Talk[], send: Send): readonly Outcome[] {
  const outcomes: Outcome[] = talks.map(() => DONE)
  const turn = (at: number, step: () => IteratorResult<Ask, void>): Turn[] => {
    try {
      const { done, value } = step()
      return done === true ? [] : [{ at, ask: value }]
    } catch (error) {
      outcomes[at] = { done: false, error }
      return []
    }
  }
  let turns = talks.flatMap((talk, at) => turn(at, () => talk.next()))
  while (turns.length > 0) {
    const refusals = put(turns, send)
    turns = turns.flatMap(({ at }, index) => {
      const talk = talks[at]
      const refusal = refusals[index]
      if (talk === undefined) return []
      return turn(at, () => (refusal === undefined ? talk.next() : talk.throw(refusal)))
    })
  }
  return outcomes
}

interface Turn {
  /** Which talk's. */
  readonly at: number
  readonly ask: Ask
}

/** The first refusal of each. */
function put(turns: readonly Turn[], send: Send): (NetlinkError | undefined)[] {
  const refusals: (NetlinkError | undefined)[] = turns.map(() => undefined)
  for (const namespace of ['router', 'host'] as const) {
    const whose: number[] = []
    const requests: Request[] = []
    turns.forEach(({ ask }, index) => {
      if (ask.namespace !== namespace) return
      for (const request of ask.requests) {
        whose.push(index)
        requests.push(request)
      }
    })
    if (requests.length === 0) continue
    send(namespace, requests).forEach((result, at) => {
      const index = whose[at] ?? 0
      if (result instanceof NetlinkError) refusals[index] ??= result
    })
  }
  return refusals
}
