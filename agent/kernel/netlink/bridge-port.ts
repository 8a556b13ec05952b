/** How a link behaves as a port of a bridge: IFLA_BRPORT_* (include/uapi/linux/if_link.h). */
import type { Attributes, MessageWriter } from './attributes.ts'

/** `bridge link set dev NAME learning off neigh_suppress on ...` */
export interface BridgePort {
  /** Learns MAC addresses from packets. */
  readonly learning?: boolean | undefined
  /** Answers ARP and ND from what is known instead of flooding them. */
  readonly neighSuppress?: boolean | undefined
  /** Talks to ports that are not isolated only. */
  readonly isolated?: boolean | undefined
  readonly hairpin?: boolean | undefined
  /** Maps VLANs to tunnel IDs: for a VXLAN device that serves many VNIs. */
  readonly vlanTunnel?: boolean | undefined
  /** Floods unknown unicast. */
  readonly flood?: boolean | undefined
  readonly mcastFlood?: boolean | undefined
  readonly bcastFlood?: boolean | undefined
  /** Drops BPDUs' port from forwarding: BPDU guard. */
  readonly guard?: boolean | undefined
  readonly cost?: number | undefined
  readonly priority?: number | undefined
}

const IFLA_BRPORT_PRIORITY = 2
const IFLA_BRPORT_COST = 3

/** Those that are one byte, on or off. */
const SWITCHES = {
  hairpin: 4,
  guard: 5,
  learning: 8,
  flood: 9,
  mcastFlood: 27,
  vlanTunnel: 29,
  bcastFlood: 30,
  neighSuppress: 32,
  isolated: 33,
} as const satisfies Partial<Record<keyof BridgePort, number>>

type Switch = keyof typeof SWITCHES

export function writeBridgePort(writer: MessageWriter, port: BridgePort): void {
  writer.u16(IFLA_BRPORT_PRIORITY, port.priority).u32(IFLA_BRPORT_COST, port.cost)
  for (const name of Object.keys(SWITCHES) as Switch[]) writer.flag(SWITCHES[name], port[name])
}

/** Member by member: an object that is made of entries takes three times the memory, and a node has thousands. */
export function readBridgePort(attributes: Attributes): BridgePort {
  return {
    hairpin: attributes.flag(SWITCHES.hairpin),
    guard: attributes.flag(SWITCHES.guard),
    learning: attributes.flag(SWITCHES.learning),
    flood: attributes.flag(SWITCHES.flood),
    mcastFlood: attributes.flag(SWITCHES.mcastFlood),
    vlanTunnel: attributes.flag(SWITCHES.vlanTunnel),
    bcastFlood: attributes.flag(SWITCHES.bcastFlood),
    neighSuppress: attributes.flag(SWITCHES.neighSuppress),
    isolated: attributes.flag(SWITCHES.isolated),
    priority: attributes.u16(IFLA_BRPORT_PRIORITY),
    cost: attributes.u32(IFLA_BRPORT_COST),
  }
}
