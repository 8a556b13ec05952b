/** Between the simulation and the processes that its agents live in. */

export interface Recruit {
  readonly node: string
  readonly token: string
}

export type CrowdOrder =
  | {
      readonly do: 'dial'
      readonly controller: string
      readonly ca: string
      readonly serverName: string
      readonly agents: readonly Recruit[]
      readonly vnis: number
      /** Every so manieth agent computes the revision of what it was sent. */
      readonly checkEvery: number
      /** The first dials are spread over this. */
      readonly spreadMs: number
    }
  /** Counts from zero. `marker`: the piece whose coming is waited for; empty: any plan will do. */
  | { readonly do: 'count'; readonly marker: string }
  /** Every agent has something new to say this often; 0: never. */
  | { readonly do: 'chatter'; readonly everyMs: number }
  | { readonly do: 'look'; readonly times: boolean }

export interface CrowdCounts {
  /** Agents with a stream now. */
  readonly connected: number
  /** Agents that got at least one plan, and the most that one got. */
  readonly touched: number
  readonly mostPlans: number
  readonly plans: number
  readonly pieces: number
  readonly removed: number
  readonly bytes: number
  /** Agents that acknowledged what is waited for. */
  readonly marked: number
  /** When, in milliseconds since the epoch; empty unless asked for. */
  readonly times: readonly number[]
  readonly dials: number
  readonly reports: number
  readonly details: number
  /** The first few. */
  readonly mistakes: readonly string[]
  /** Why streams ended, and how often. */
  readonly ends: Readonly<Record<string, number>>
}

/** Milliseconds since the epoch, as exact as the clock is. */
export const nowMs = (): number => performance.timeOrigin + performance.now()
