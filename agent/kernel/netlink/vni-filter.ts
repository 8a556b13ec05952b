/** VNIs that an `external vnifilter` VXLAN device serves: `bridge vni` (struct tunnel_msg; kernel >= 5.18). */
import { Attributes, MessageWriter } from './attributes.ts'
import { AF_BRIDGE, AF_INET, familyOf, ipBytes, ipText } from './inet.ts'
import { NLM_F_CREATE } from './message.ts'
import type { Request } from './message.ts'
import { malformed } from './netlink-error.ts'
import type { Netlink } from './netlink.ts'

export const RTM_NEWTUNNEL = 120
export const RTM_DELTUNNEL = 121
const RTM_GETTUNNEL = 122

const TUNNEL_MSG_BYTES = 8
const VXLAN_VNIFILTER_ENTRY = 1
const VXLAN_VNIFILTER_ENTRY_START = 1
const VXLAN_VNIFILTER_ENTRY_END = 2
const VXLAN_VNIFILTER_ENTRY_GROUP = 3
const VXLAN_VNIFILTER_ENTRY_GROUP6 = 4

/** VNIs `vni` to `last`. */
export interface VniRange {
  readonly vni: number
  /** Absent: one VNI. */
  readonly last?: number | undefined
  /** Multicast group or default remote. */
  readonly remote?: string | undefined
}

export interface DeviceVnis {
  /** Index of the VXLAN device. */
  readonly link: number
  readonly vnis: readonly VniRange[]
}

/** `bridge vni show [dev L]`: one entry a device; a big filter comes in several messages, which are joined. */
export function listVnis(netlink: Netlink, filter: { link?: number } = {}): DeviceVnis[] {
  const byLink = new Map<number, VniRange[]>()
  const dump = { type: RTM_GETTUNNEL, flags: 0, body: header(filter.link ?? 0).finish(), asked: 'list VNI filters' }
  for (const message of netlink.dump(dump)) {
    if (message.type !== RTM_NEWTUNNEL) continue
    const { link, vnis } = decodeVnis(message.body)
    byLink.set(link, [...(byLink.get(link) ?? []), ...vnis])
  }
  return [...byLink].map(([link, vnis]) => ({ link, vnis }))
}

/** `bridge vni add dev L vni A-B` */
export function addVnis(netlink: Netlink, link: number, vnis: readonly VniRange[]): void {
  netlink.request(addVnisRequest(link, vnis))
}

export function addVnisRequest(link: number, vnis: readonly VniRange[]): Request {
  const body = encodeVnis(link, vnis)
  return { type: RTM_NEWTUNNEL, flags: NLM_F_CREATE, body, asked: `add VNIs to link ${link}` }
}

/** `bridge vni del dev L vni A-B`. Throws NetlinkError: ENOENT when one is not there. */
export function deleteVnis(netlink: Netlink, link: number, vnis: readonly VniRange[]): void {
  netlink.request(deleteVnisRequest(link, vnis))
}

export function deleteVnisRequest(link: number, vnis: readonly VniRange[]): Request {
  return { type: RTM_DELTUNNEL, flags: 0, body: encodeVnis(link, vnis), asked: `delete VNIs of link ${link}` }
}

export function encodeVnis(link: number, vnis: readonly VniRange[]): Buffer {
  const writer = header(link)
  for (const { vni, last, remote } of vnis) {
    writer.nest(VXLAN_VNIFILTER_ENTRY, (entry) => {
      entry.u32(VXLAN_VNIFILTER_ENTRY_START, vni).u32(VXLAN_VNIFILTER_ENTRY_END, last)
      if (remote === undefined) return
      const v4 = familyOf(remote) === AF_INET
      entry.bytes(v4 ? VXLAN_VNIFILTER_ENTRY_GROUP : VXLAN_VNIFILTER_ENTRY_GROUP6, ipBytes(remote))
    })
  }
  return writer.finish()
}

function header(link: number): MessageWriter {
  const writer = new MessageWriter()
  const head = writer.struct(TUNNEL_MSG_BYTES)
  head.writeUInt8(AF_BRIDGE, 0)
  head.writeUInt32LE(link, 4)
  return writer
}

/** Reads an RTM_NEWTUNNEL message. Throws NetlinkError EBADMSG. */
export function decodeVnis(body: Buffer): DeviceVnis {
  if (body.length < TUNNEL_MSG_BYTES) throw malformed(`VNI filter message of ${body.length} bytes`)
  const vnis = Attributes.parse(body, TUNNEL_MSG_BYTES).entries.flatMap(([type, payload]): VniRange[] => {
    if (type !== VXLAN_VNIFILTER_ENTRY) return []
    const entry = Attributes.parse(payload)
    const vni = entry.u32(VXLAN_VNIFILTER_ENTRY_START) ?? 0
    const last = entry.u32(VXLAN_VNIFILTER_ENTRY_END)
    const remote = entry.bytes(VXLAN_VNIFILTER_ENTRY_GROUP) ?? entry.bytes(VXLAN_VNIFILTER_ENTRY_GROUP6)
    return [
      {
        vni,
        last: last === vni ? undefined : last,
        remote: remote === undefined ? undefined : ipText(remote),
      },
    ]
  })
  return { link: body.readUInt32LE(4), vnis }
}
