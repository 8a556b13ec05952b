/** What only one kind of link has: IFLA_LINKINFO's IFLA_INFO_DATA (include/uapi/linux/if_link.h). */
import { Attributes } from './attributes.ts'
import type { MessageWriter } from './attributes.ts'
import { AF_INET, familyOf, ipBytes, ipText } from './inet.ts'

/** `ip link add NAME type bridge vlan_filtering 1 vlan_default_pvid 0 mcast_snooping 0 stp_state 0 ...` */
export interface BridgeData {
  readonly kind: 'bridge'
  readonly vlanFiltering?: boolean | undefined
  /** 0: ports join no VLAN by themselves. Needs VLAN filtering in the kernel. */
  readonly vlanDefaultPvid?: number | undefined
  readonly mcastSnooping?: boolean | undefined
  readonly stp?: boolean | undefined
  /** Hundredths of a second, as the kernel has it. */
  readonly forwardDelay?: number | undefined
  /** Hundredths of a second. */
  readonly ageingTime?: number | undefined
  readonly groupForwardMask?: number | undefined
}

/** `ip link add NAME type vxlan id 100 local 100.65.0.1 dstport 4789 nolearning ...` */
export interface VxlanData {
  readonly kind: 'vxlan'
  /** Absent for `external`. Cannot be changed later. */
  readonly vni?: number | undefined
  /** IPv4 or IPv6. */
  readonly local?: string | undefined
  /** Multicast group or default remote. */
  readonly remote?: string | undefined
  /** UDP destination port. Must be absent in a change: the kernel refuses even the same. */
  readonly port?: number | undefined
  readonly learning?: boolean | undefined
  /** Index of the underlay link. */
  readonly link?: number | undefined
  /** 0: inherit by the kernel's own rule. */
  readonly ttl?: number | undefined
  readonly tos?: number | undefined
  /** Don't-fragment bit of the outer header: 0 unset, 1 set, 2 inherited. */
  readonly df?: number | undefined
  /** Seconds. */
  readonly ageing?: number | undefined
  readonly external?: boolean | undefined
  /** With `external`: only VNIs of the filter are received (kernel >= 5.18). */
  readonly vniFilter?: boolean | undefined
  readonly udpChecksum?: boolean | undefined
  readonly udpZeroChecksum6Transmit?: boolean | undefined
  readonly udpZeroChecksum6Receive?: boolean | undefined
}

/** `ip link add NAME type vrf table 10001` */
export interface VrfData {
  readonly kind: 'vrf'
  readonly table: number
}

/** `ip link add link PARENT NAME type vlan id 100`; the parent is the link's own `parent`. */
export interface VlanData {
  readonly kind: 'vlan'
  readonly id: number
  /** @default '802.1Q' */
  readonly protocol?: '802.1Q' | '802.1ad' | undefined
}

/** `ip link add NAME type dummy` */
export interface DummyData {
  readonly kind: 'dummy'
}

/** `ip link add NAME type veth peer name PEER`; what the peer is like is part of the request only. */
export interface VethData {
  readonly kind: 'veth'
}

export type LinkData = BridgeData | VxlanData | VrfData | VlanData | DummyData | VethData

const IFLA_BR_FORWARD_DELAY = 1
const IFLA_BR_AGEING_TIME = 4
const IFLA_BR_STP_STATE = 5
const IFLA_BR_VLAN_FILTERING = 7
const IFLA_BR_GROUP_FWD_MASK = 9
const IFLA_BR_MCAST_SNOOPING = 23
const IFLA_BR_VLAN_DEFAULT_PVID = 39

const IFLA_VXLAN_ID = 1
const IFLA_VXLAN_GROUP = 2
const IFLA_VXLAN_LINK = 3
const IFLA_VXLAN_LOCAL = 4
const IFLA_VXLAN_TTL = 5
const IFLA_VXLAN_TOS = 6
const IFLA_VXLAN_LEARNING = 7
const IFLA_VXLAN_AGEING = 8
const IFLA_VXLAN_PORT = 15
const IFLA_VXLAN_GROUP6 = 16
const IFLA_VXLAN_LOCAL6 = 17
const IFLA_VXLAN_UDP_CSUM = 18
const IFLA_VXLAN_UDP_ZERO_CSUM6_TX = 19
const IFLA_VXLAN_UDP_ZERO_CSUM6_RX = 20
const IFLA_VXLAN_COLLECT_METADATA = 25
const IFLA_VXLAN_DF = 29
const IFLA_VXLAN_VNIFILTER = 30

const IFLA_VRF_TABLE = 1

const IFLA_VLAN_ID = 1
const IFLA_VLAN_PROTOCOL = 5
const ETH_P_8021Q = 0x8100
const ETH_P_8021AD = 0x88a8

/** Writes the content of IFLA_INFO_DATA. */
export function writeLinkData(writer: MessageWriter, data: LinkData): void {
  switch (data.kind) {
    case 'bridge':
      writer
        .u32(IFLA_BR_FORWARD_DELAY, data.forwardDelay)
        .u32(IFLA_BR_AGEING_TIME, data.ageingTime)
        .u32(IFLA_BR_STP_STATE, data.stp === undefined ? undefined : Number(data.stp))
        .flag(IFLA_BR_VLAN_FILTERING, data.vlanFiltering)
        .u16(IFLA_BR_GROUP_FWD_MASK, data.groupForwardMask)
        .flag(IFLA_BR_MCAST_SNOOPING, data.mcastSnooping)
        .u16(IFLA_BR_VLAN_DEFAULT_PVID, data.vlanDefaultPvid)
      break
    case 'vxlan':
      writer.u32(IFLA_VXLAN_ID, data.vni)
      writeEndpoint(writer, IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6, data.remote)
      writer.u32(IFLA_VXLAN_LINK, data.link)
      writeEndpoint(writer, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6, data.local)
      writer
        .u8(IFLA_VXLAN_TTL, data.ttl)
        .u8(IFLA_VXLAN_TOS, data.tos)
        .flag(IFLA_VXLAN_LEARNING, data.learning)
        .u32(IFLA_VXLAN_AGEING, data.ageing)
        .u16be(IFLA_VXLAN_PORT, data.port)
        .flag(IFLA_VXLAN_UDP_CSUM, data.udpChecksum)
        .flag(IFLA_VXLAN_UDP_ZERO_CSUM6_TX, data.udpZeroChecksum6Transmit)
        .flag(IFLA_VXLAN_UDP_ZERO_CSUM6_RX, data.udpZeroChecksum6Receive)
        .flag(IFLA_VXLAN_COLLECT_METADATA, data.external)
        .u8(IFLA_VXLAN_DF, data.df)
        .flag(IFLA_VXLAN_VNIFILTER, data.vniFilter)
      break
    case 'vrf':
      writer.u32(IFLA_VRF_TABLE, data.table)
      break
    case 'vlan':
      writer
        .u16(IFLA_VLAN_ID, data.id)
        .u16be(IFLA_VLAN_PROTOCOL, data.protocol === '802.1ad' ? ETH_P_8021AD : ETH_P_8021Q)
      break
    case 'dummy':
    case 'veth':
      break
  }
}

const DUMMY: DummyData = { kind: 'dummy' }
const VETH: VethData = { kind: 'veth' }

/** Reads IFLA_INFO_DATA; undefined for a kind that has no type here. */
export function readLinkData(kind: string, attributes: Attributes | undefined): LinkData | undefined {
  const data = attributes ?? Attributes.parse(Buffer.alloc(0))
  switch (kind) {
    case 'bridge':
      return {
        kind: 'bridge',
        vlanFiltering: data.flag(IFLA_BR_VLAN_FILTERING),
        vlanDefaultPvid: data.u16(IFLA_BR_VLAN_DEFAULT_PVID),
        mcastSnooping: data.flag(IFLA_BR_MCAST_SNOOPING),
        stp: isSet(data.u32(IFLA_BR_STP_STATE)),
        forwardDelay: data.u32(IFLA_BR_FORWARD_DELAY),
        ageingTime: data.u32(IFLA_BR_AGEING_TIME),
        groupForwardMask: data.u16(IFLA_BR_GROUP_FWD_MASK),
      }
    case 'vxlan':
      return {
        kind: 'vxlan',
        vni: data.u32(IFLA_VXLAN_ID),
        local: readEndpoint(data, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6),
        remote: readEndpoint(data, IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6),
        port: data.u16be(IFLA_VXLAN_PORT),
        learning: data.flag(IFLA_VXLAN_LEARNING),
        link: data.u32(IFLA_VXLAN_LINK),
        ttl: data.u8(IFLA_VXLAN_TTL),
        tos: data.u8(IFLA_VXLAN_TOS),
        df: data.u8(IFLA_VXLAN_DF),
        ageing: data.u32(IFLA_VXLAN_AGEING),
        external: data.flag(IFLA_VXLAN_COLLECT_METADATA),
        vniFilter: data.flag(IFLA_VXLAN_VNIFILTER),
        udpChecksum: data.flag(IFLA_VXLAN_UDP_CSUM),
        udpZeroChecksum6Transmit: data.flag(IFLA_VXLAN_UDP_ZERO_CSUM6_TX),
        udpZeroChecksum6Receive: data.flag(IFLA_VXLAN_UDP_ZERO_CSUM6_RX),
      }
    case 'vrf':
      return { kind: 'vrf', table: data.u32(IFLA_VRF_TABLE) ?? 0 }
    case 'vlan':
      return {
        kind: 'vlan',
        id: data.u16(IFLA_VLAN_ID) ?? 0,
        protocol: data.u16be(IFLA_VLAN_PROTOCOL) === ETH_P_8021AD ? '802.1ad' : '802.1Q',
      }
    case 'dummy':
      return DUMMY
    case 'veth':
      return VETH
    default:
      return undefined
  }
}

function writeEndpoint(writer: MessageWriter, v4: number, v6: number, address: string | undefined): void {
  if (address !== undefined) writer.bytes(familyOf(address) === AF_INET ? v4 : v6, ipBytes(address))
}

function readEndpoint(data: Attributes, v4: number, v6: number): string | undefined {
  const bytes = data.bytes(v4, 4)?.subarray(0, 4) ?? data.bytes(v6, 16)?.subarray(0, 16)
  return bytes === undefined ? undefined : ipText(bytes)
}

function isSet(value: number | undefined): boolean | undefined {
  return value === undefined ? undefined : value !== 0
}
