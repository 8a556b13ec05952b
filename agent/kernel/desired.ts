/**
 * What the kernel should hold for a plan: links, addresses, routes and sysctls of the router, and the host's ends.
 *
 * Pure. The objects come in an order a reader can follow; `diff` makes the order of work.
 */
import type { HostSessionPlan, NodePlan, RouterPlan, SegmentPlan, VrfPlan } from '../../api/plan/node-plan.ts'
import { overlayMTU, underlayMTU } from './mtu.ts'
import { PASSTHROUGH_ENDS, vethNames, VTEP_LINK, type Ends } from './names.ts'
import type { AddressObject, KernelObject, LinkObject, MachineFacts, Place, RouteObject } from './objects.ts'
import { ipBytes, ipText } from './netlink/inet.ts'
import { layOut, shardsOf, sharedObjects, type Layout, type Shards } from './shape/layout.ts'
import type { OverlayNeeds } from './shape/overlay.ts'
import { routerSysctls } from './sysctls.ts'
import { vrfRules } from './vrf-rules.ts'

const MAIN_TABLE = 254

/** The plan's router as the kernel should have it; empty when the plan has none. */
export function desired(plan: NodePlan, facts: MachineFacts): readonly KernelObject[] {
  const { router, passthrough } = plan
  if (router === undefined) return []
  const parts = partsOf([...plan.vrfs, ...plan.segments], router, facts)
  const basis = basisOf(router, passthrough, facts, shardsOf(parts))
  return merged([...basis, ...parts.flatMap(({ objects }) => objects)])
}

export type Piece = VrfPlan | SegmentPlan

/** What one piece of a plan comes to. */
export interface Part {
  readonly piece: Piece
  /** Absent: it has no VNI. */
  readonly needs?: OverlayNeeds | undefined
  readonly place?: Place | undefined
  readonly objects: readonly KernelObject[]
}

/**
 * What VRFs and segments come to, with bridges of the host once for each segment that names them. Those that are laid out
 * already need not be among them, when the datapath's places have theirs. A part is taken from `known` when its piece is
 * the same and in the same place; all else that it depends on must be as it was: the router, the NICs, the shape.
 */
export function partsOf(
  pieces: readonly Piece[],
  router: RouterPlan,
  facts: MachineFacts,
  known: ReadonlyMap<Piece, Part> = new Map(),
): readonly Part[] {
  const all = pieces.map((piece) => ({ piece, needs: needsOf(piece, router, facts) }))
  const layout = layOut(
    facts.datapath,
    router,
    all.flatMap(({ needs }) => needs ?? []),
  )
  return all.map(({ piece, needs }) => {
    const place = needs === undefined ? undefined : layout.place(needs.vni)
    const before = known.get(piece)
    if (before !== undefined && before.place?.shard === place?.shard && before.place?.vid === place?.vid) return before
    const objects =
      'vni' in piece
        ? segmentObjects(piece, needs, layout)
        : vrfObjects(piece, needs, layout, vrfMTU(piece, router, facts))
    return { piece, needs, place, objects }
  })
}

function needsOf(piece: Piece, router: RouterPlan, facts: MachineFacts): OverlayNeeds | undefined {
  return 'vni' in piece ? segmentNeeds(piece, router, facts) : vrfNeeds(piece, router, facts)
}

/** What no VRF and no segment has for itself: the router, what VNIs share, the passthrough. */
export function basisOf(
  router: RouterPlan,
  passthrough: HostSessionPlan | undefined,
  facts: MachineFacts,
  shards: Shards,
): readonly KernelObject[] {
  return [
    ...routerSysctls(router.for),
    ...vrfRules(router.for),
    ...underlay(router, facts),
    ...sharedObjects(shards, router),
    ...(passthrough === undefined ? [] : session(passthrough, PASSTHROUGH_ENDS, underlayMTU(router, facts))),
  ]
}

function underlay(router: RouterPlan, facts: MachineFacts): KernelObject[] {
  const own = { namespace: 'router', for: router.for } as const
  const nics = router.interfaces.flatMap((name): KernelObject[] => {
    const nic = facts.nics[name]
    const mtu = router.mtu ?? nic?.mtu
    return [
      { type: 'link', kind: 'nic', name, ...(mtu === undefined ? {} : { mtu }), up: true, ...own },
      ...(nic?.addresses ?? []).map((given): AddressObject => ({
        type: 'address',
        link: name,
        noDad: false,
        ...given,
        ...own,
      })),
      ...(nic?.routes ?? []).map(({ gateway, ...route }): RouteObject => ({
        type: 'route',
        table: MAIN_TABLE,
        ...route,
        target: { type: 'via', gateway, link: name },
        ...own,
      })),
    ]
  })
  const vteps = router.vteps.map((vtep) => address('router', VTEP_LINK, `${vtep}/${isIPv6(vtep) ? 128 : 32}`, router))
  return [
    { type: 'link', kind: 'loopback', name: 'lo', up: true, ...own },
    ...nics,
    ...(vteps.length === 0
      ? []
      : [{ type: 'link', kind: 'dummy', name: VTEP_LINK, up: true, addrGenMode: 'none', ...own } as const]),
    ...vteps,
  ]
}

function vrfNeeds(vrf: VrfPlan, router: RouterPlan, facts: MachineFacts): OverlayNeeds | undefined {
  const { l3vni } = vrf
  const [local] = router.vteps
  if (l3vni === undefined || local === undefined) return undefined
  return {
    for: vrf.for,
    vni: l3vni.vni,
    l3: true,
    local,
    mtu: vrfMTU(vrf, router, facts),
    vrf: vrf.name,
    // The router's MAC in type-5 routes is the one zebra finds on what the L3VNI is routed by (RFC 9135 section 3.1).
    mac: router.routerMAC,
    suppressARP: true,
  }
}

function vrfMTU({ l3vni }: VrfPlan, router: RouterPlan, facts: MachineFacts): number {
  return l3vni?.mtu ?? overlayMTU(router, facts)
}

function vrfObjects(vrf: VrfPlan, needs: OverlayNeeds | undefined, layout: Layout, mtu: number): KernelObject[] {
  const { l3vni, hostSession, name, table } = vrf
  return [
    { type: 'link', namespace: 'router', kind: 'vrf', name, table, up: true, for: vrf.for },
    ...(needs === undefined ? [] : layout.overlay(needs).objects),
    ...(hostSession === undefined || l3vni === undefined ? [] : session(hostSession, vethNames(l3vni.vni), mtu, name)),
  ]
}

/** A veth with a BGP session on it. */
function session(plan: HostSessionPlan, ends: Ends, mtu: number, master?: string): KernelObject[] {
  return [
    ...veth(plan, ends, mtu, master === undefined ? {} : { master }, {}),
    ...plan.routerAddresses.map((own) => address('router', ends.router, own, plan)),
    ...plan.hostAddresses.map((own) => address('host', ends.host, own, plan)),
  ]
}

function segmentNeeds(segment: SegmentPlan, router: RouterPlan, facts: MachineFacts): OverlayNeeds | undefined {
  const { vni, vrf, gateways, gatewayMAC, suppressARP } = segment
  const [local] = router.vteps
  if (local === undefined) return undefined
  return {
    for: segment.for,
    vni,
    l3: false,
    local,
    mtu: segment.mtu ?? overlayMTU(router, facts),
    ...(vrf === undefined ? {} : { vrf }),
    ...(gateways.length === 0 ? {} : { mac: gatewayMAC }),
    suppressARP,
  }
}

function segmentObjects(segment: SegmentPlan, needs: OverlayNeeds | undefined, layout: Layout): KernelObject[] {
  if (needs === undefined) return []
  const { vni, gateways, gatewayMAC, hostMaster } = segment
  const { mtu } = needs
  const { objects, routed, port } = layout.overlay(needs)
  const plug = {
    ...port,
    addrGenMode: 'none',
    bridgePort: { learning: true, neighSuppress: false, vlanTunnel: false },
  } as const
  // The host is no member of the segment: without a link-local address it neither speaks nor listens there.
  const silent = { addrGenMode: 'none' } as const
  const plugged = hostMaster?.type === 'LinuxBridge' ? { master: hostMaster.name, ...silent } : {}
  const linkLocal = gateways.some(isIPv6) ? [`${linkLocalOf(gatewayMAC)}/64`] : []
  return [
    ...objects,
    ...[...gateways, ...linkLocal].map((gateway) => address('router', routed, gateway, segment)),
    ...veth(segment, vethNames(vni), mtu, plug, plugged),
    ...(hostMaster?.type === 'LinuxBridge' && hostMaster.autoCreate
      ? [
          {
            type: 'link',
            namespace: 'host',
            kind: 'bridge',
            name: hostMaster.name,
            mtu,
            ...silent,
            up: true,
            for: segment.for,
          } as const,
        ]
      : []),
  ]
}

type Extra = Pick<LinkObject, 'master' | 'addrGenMode'> &
  Pick<Extract<LinkObject, { kind: 'veth' }>, 'bridgePort' | 'vlan'>

function veth(plan: Pick<VrfPlan, 'for'>, ends: Ends, mtu: number, atRouter: Extra, atHost: Extra): LinkObject[] {
  const common = { type: 'link', kind: 'veth', mtu, up: true, for: plan.for } as const
  return [
    { ...common, namespace: 'router', name: ends.router, peer: { namespace: 'host', name: ends.host }, ...atRouter },
    { ...common, namespace: 'host', name: ends.host, peer: { namespace: 'router', name: ends.router }, ...atHost },
  ]
}

/** Nobody else can have these addresses on their links, so IPv6 need not wait for duplicate address detection. */
function address(
  namespace: AddressObject['namespace'],
  link: string,
  own: string,
  plan: Pick<VrfPlan, 'for'>,
): AddressObject {
  return { type: 'address', namespace, link, address: own, noPrefixRoute: false, noDad: isIPv6(own), for: plan.for }
}

/** Modified EUI-64 (RFC 4291 appendix A). */
function linkLocalOf(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((byte) => parseInt(byte, 16))
  const words = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f]
  return ipText(ipBytes(`fe80::${words.map((word) => word.toString(16)).join(':')}`))
}

function isIPv6(text: string): boolean {
  return text.includes(':')
}

function merged(objects: readonly KernelObject[]): KernelObject[] {
  const bridges = Map.groupBy(objects.filter(isHostBridge), ({ name }) => name)
  return objects.flatMap((object): KernelObject[] => {
    if (!isHostBridge(object)) return [object]
    const alike = bridges.get(object.name) ?? []
    return alike[0] === object ? [hostBridge(object, alike.slice(1))] : []
  })
}

type Bridge = Extract<LinkObject, { kind: 'bridge' }>

export function isHostBridge(object: KernelObject): object is Bridge {
  return object.type === 'link' && object.kind === 'bridge' && object.namespace === 'host'
}

/** Several segments may name one bridge: the first by name has it, and what fits through it is the smallest of theirs. */
export function hostBridge(one: Bridge, others: readonly Bridge[]): Bridge {
  if (others.length === 0) return one
  const all = [one, ...others].toSorted((a, b) => (a.for.name < b.for.name ? -1 : 1))
  const mtu = Math.min(...all.map((bridge) => bridge.mtu ?? Infinity))
  return { ...one, ...all[0], ...(Number.isFinite(mtu) ? { mtu } : {}) }
}
