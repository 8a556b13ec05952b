/** What zebra knows of a plan's VNIs: asked narrowly, and waited for no longer than it makes progress. */
import type { NodePlan, SegmentPlan, VrfPlan } from '../api/plan/node-plan.ts'
import type { Frr } from './frr/frr.ts'
import type { CommandResult } from './frr/refusal.ts'
import type { EvpnVni } from './frr/state.ts'
import { monotonicClock, type Clock } from '../pace/clock.ts'
import { bridgeName, sviName } from './kernel/names.ts'

type Zebra = Pick<Frr, 'evpnVnis' | 'vniCount' | 'vrfVnis'>

/** How long is waited between two questions: at least so long, and as long as zebra needed for the answer. */
const STEPS_MS = [1, 2, 5, 10, 20] as const
const LONGEST_STEP_MS = 1000
/**
 * zebra is as far as it gets when no more comes while we wait for this long in all. What it needs for its answers does not
 * count: a zebra that is slow to answer has other things to do first.
 */
const SETTLE_MS = 5000
const STANDSTILL_MS = 3000
/** A question for one VNI costs zebra as much as dozens of rows of the whole table: of more than so many, all are read. */
const NARROW = 32

/** Until `show vrf vni` lists the VNIs that were entered: zebra takes them from mgmtd on its own time. Whether it does. */
export async function settle(
  frr: Pick<Frr, 'vrfVnis'>,
  results: readonly CommandResult[],
  signal: AbortSignal,
  clock: Clock = monotonicClock,
): Promise<boolean> {
  const entered = results.flatMap(({ command, outcome }) => {
    const vrf = /^vrf (\S+)$/.exec(command.context[0] ?? '')?.[1]
    const vni = /^vni (\d+)$/.exec(command.line)?.[1]
    return outcome === 'ok' && vrf !== undefined && vni !== undefined ? [{ vrf, vni: Number(vni) }] : []
  })
  if (entered.length === 0) return true
  const vrfs = entered.length > NARROW ? undefined : entered.map(({ vrf }) => vrf)
  const have = async () => {
    const known = new Map((await frr.vrfVnis(vrfs)).map(({ vrf, vni }) => [vrf, vni]))
    return entered.filter(({ vrf, vni }) => known.get(vrf) === vni).length
  }
  return await follow(have, entered.length, SETTLE_MS, signal, clock)
}

/** Until zebra knows no L3VNI any more; at the latest when no more went for a while. Whether it does. */
export async function letGo(frr: Zebra, signal: AbortSignal): Promise<boolean> {
  return await follow(async () => -(await frr.vrfVnis()).length, 0, SETTLE_MS, signal, monotonicClock)
}

/** Until zebra has these VNIs; at the latest when no more came for a while. */
export async function caughtUp(
  frr: Zebra,
  asked: readonly Tunnelled[],
  signal: AbortSignal,
  clock: Clock = monotonicClock,
): Promise<void> {
  const vnis = asked.length > NARROW ? undefined : asked.map(({ vni }) => vni)
  const have = async () => {
    // The whole table is asked for only when it may be complete.
    const count = vnis === undefined ? await frr.vniCount() : undefined
    return count !== undefined && count < asked.length ? count : knownOf(asked, await frr.evpnVnis(vnis))
  }
  await follow(have, asked.length, STANDSTILL_MS, signal, clock)
}

/** Until zebra has the port in that bridge; at the latest after a bounded time. Whether it has. */
export async function knowsPort(
  frr: Pick<Frr, 'bridgeOf'>,
  { name, index, bridge }: { readonly name: string; readonly index: number; readonly bridge: string },
  signal: AbortSignal,
  clock: Clock = monotonicClock,
): Promise<boolean> {
  let known = false
  const have = async () => {
    known = (await frr.bridgeOf(name, index)) === bridge
    return known ? 1 : 0
  }
  await follow(have, 1, STANDSTILL_MS, signal, clock)
  return known
}

/** Asks how many there are until there are enough; gives up when no more came while it waited for so long in all. */
async function follow(
  have: () => Promise<number>,
  enough: number,
  standstillMs: number,
  signal: AbortSignal,
  clock: Clock,
): Promise<boolean> {
  let [most, waited] = [-Infinity, 0]
  for (let step = 0; waited < standstillMs && !signal.aborted; step++) {
    const began = clock.now()
    const count = await have()
    if (count >= enough) return true
    if (count > most) [most, waited] = [count, 0]
    const took = clock.now() - began
    const pause = Math.min(Math.max(STEPS_MS[step] ?? 20, took), LONGEST_STEP_MS)
    await clock.wait(pause, signal)
    waited += pause
  }
  return false
}

function knownOf(asked: readonly Tunnelled[], known: readonly EvpnVni[]): number {
  const types = new Map(known.map(({ vni, type }) => [vni, type]))
  return asked.filter(({ vni, type }) => types.get(vni) === type).length
}

/** A VNI of the plan, and the part of the plan it is for. */
interface Tunnelled {
  readonly vni: number
  readonly type: 'L2' | 'L3'
  readonly of: VrfPlan | SegmentPlan
}

/** Those of a plan, or of some of its pieces. */
export function tunnelledOf(
  { vrfs, segments }: NodePlan,
  some: (of: VrfPlan | SegmentPlan) => boolean = () => true,
): readonly Tunnelled[] {
  const routed = vrfs
    .filter(some)
    .flatMap((of) => (of.l3vni === undefined ? [] : [{ of, vni: of.l3vni.vni, type: 'L3' as const }]))
  return [...routed, ...segments.filter(some).map((of) => ({ of, vni: of.vni, type: 'L2' as const }))]
}

/** Which of these VNIs zebra does not have, has down, or has on the wrong link. */
export function missingVnis(
  asked: readonly Tunnelled[],
  known: readonly EvpnVni[],
): readonly { readonly of: VrfPlan | SegmentPlan; readonly message: string }[] {
  const byVni = new Map(known.map((vni) => [vni.vni, vni]))
  return asked.flatMap(({ of, vni, type }) => {
    const message = wrongWith(vni, type, byVni.get(vni))
    return message === undefined ? [] : [{ of, message }]
  })
}

function wrongWith(vni: number, type: 'L2' | 'L3', found: EvpnVni | undefined): string | undefined {
  if (found?.type !== type) return `zebra does not know VNI ${vni} as ${type} yet`
  if (type === 'L2') return undefined
  const { state, sviInterface, vrf } = found
  if (state !== 'Up') return `VNI ${vni} is ${state ?? 'not up'} in zebra`
  if (sviInterface === undefined || sviInterface === bridgeName(vni) || sviInterface === sviName(vni)) return undefined
  // FRR issue 23028: what comes up in the VRF last may take the place of its L3VNI's link.
  return (
    `zebra routes VNI ${vni} over ${sviInterface}, which is not its link (FRR issue 23028): ` +
    `enter "no vni ${vni}", then "vni ${vni}" in "vrf ${vrf}" with vtysh`
  )
}

/** These VNIs as zebra has them; others may be in the answer. */
export function vnisOf(frr: Zebra, asked: readonly Tunnelled[]): Promise<readonly EvpnVni[]> {
  return frr.evpnVnis(asked.length > NARROW ? undefined : asked.map(({ vni }) => vni))
}
