/** The watches that are open, and what can happen to them. */
import type { RequestInfo } from '../http/route.ts'
import { fits, type Match } from './faults.ts'

/**
 * end: it ends as after its timeout. reset: its connection is reset. mute: it stays open and says nothing any more. gone: it
 * says 410 and ends. drop: it loses what happens from now on, and says 410 when it is told so by `gone`.
 */
export type Loss = 'end' | 'reset' | 'mute' | 'gone' | 'drop'

export interface OpenWatch {
  readonly info: RequestInfo
  readonly user: string
  lose(how: Loss): void
}

export class Watches {
  readonly #open = new Set<OpenWatch>()

  add(watch: OpenWatch): () => void {
    this.#open.add(watch)
    return () => this.#open.delete(watch)
  }

  /** What befalls the watches that match; gives how many. */
  lose(how: Loss, match: Match = {}): number {
    const met = [...this.#open].filter(({ info, user }) => fits(match, info, user))
    for (const watch of met) watch.lose(how)
    return met.length
  }

  count(match: Match = {}): number {
    return [...this.#open].filter(({ info, user }) => fits(match, info, user)).length
  }
}
