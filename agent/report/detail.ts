/** BGP sessions and VNIs as the controller is told, and whether that is news. Pure. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { DetailSchema } from '../../api/wire/generated/distribution_pb.ts'
import type { SessionStatus, VniStatus } from '../status/document.ts'

export interface DetailState {
  /** Grows with everything new; 0 before anything is known. */
  readonly version: bigint
  readonly sessions: readonly SessionStatus[]
  readonly vnis: readonly VniStatus[]
  /** When mere counters were news last. */
  readonly countedAt: number
}

export const NOTHING_KNOWN: DetailState = { version: 0n, sessions: [], vnis: [], countedAt: 0 }

/** Counters of prefixes and MACs move all the time: they are news this often at most. */
const COUNTERS_MS = 5000
/** FRR tells how long a session has been up, so the moment it came up moves a little from look to look. */
const SAME_MOMENT_MS = 3000

/** `now` is in milliseconds since 1970; versions begin with it, so that they grow over a restart of the agent too. */
export function nextDetail(
  before: DetailState,
  observed: Pick<DetailState, 'sessions' | 'vnis'>,
  now: number,
): DetailState {
  const known = new Map(before.sessions.map((session) => [keyOf(session), session]))
  const sessions = observed.sessions.map((session) => dated(session, known.get(keyOf(session)), now))
  const next = { sessions, vnis: observed.vnis }
  const first = before.version === 0n
  if (!first && textOf(next) === textOf(before)) return before
  const news = first || statesOf(next) !== statesOf(before)
  if (!news && now - before.countedAt < COUNTERS_MS) return before
  return { ...next, version: first ? BigInt(now) : before.version + 1n, countedAt: now }
}

const keyOf = ({ peer, vrf }: SessionStatus): string => `${vrf ?? ''}\n${peer}`
const isUp = ({ state }: SessionStatus): boolean => state === 'Established'

/** Since when it is up or down; of one that is down FRR does not say, but the look that saw it go does. */
function dated(session: SessionStatus, before: SessionStatus | undefined, now: number): SessionStatus {
  if (before === undefined) return session
  if (isUp(session) !== isUp(before)) return { ...session, since: session.since ?? new Date(now).toISOString() }
  if (before.since === undefined) return session
  const moved = session.since === undefined ? 0 : Math.abs(Date.parse(session.since) - Date.parse(before.since))
  return moved < SAME_MOMENT_MS ? { ...session, since: before.since } : session
}

/**
 * What is told at once. A session that is down goes through Idle, Connect and Active for ever: that is one state here;
 * which of them it is counts as a counter.
 */
function statesOf({ sessions, vnis }: Pick<DetailState, 'sessions' | 'vnis'>): string {
  return textOf({
    sessions: sessions.map((each) => [keyOf(each), isUp(each), each.since, each.bfd]),
    vnis: vnis.map(({ vni, type, state, vteps }) => [vni, type, state, vteps]),
  })
}

const textOf = ({ sessions, vnis }: { readonly sessions: unknown; readonly vnis: unknown }): string =>
  JSON.stringify([sessions, vnis])

export function detailMessage({ version, sessions, vnis }: DetailState): MessageInitShape<typeof DetailSchema> {
  return {
    version,
    sessions: sessions.map(({ peer, vrf, state, since, prefixesReceived, prefixesSent, bfd }) => ({
      peer,
      vrf: vrf ?? '',
      state,
      sinceMs: BigInt(since === undefined ? 0 : Date.parse(since)),
      ...(prefixesReceived === undefined ? {} : { prefixesReceived }),
      ...(prefixesSent === undefined ? {} : { prefixesSent }),
      bfd: bfd ?? '',
    })),
    vnis: vnis.map(({ vni, type, state, vteps, macs }) => ({
      vni,
      type,
      state,
      ...(vteps === undefined ? {} : { vteps }),
      ...(macs === undefined ? {} : { macs }),
    })),
  }
}
