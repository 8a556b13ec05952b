/** Routing rules: `ip rule` (struct fib_rule_hdr, FRA_*; include/uapi/linux/fib_rules.h). */
import { isInet } from './address.ts'
import { Attributes, MessageWriter } from './attributes.ts'
import { AF_INET, AF_INET6, ipText, parsePrefix } from './inet.ts'
import type { Family } from './inet.ts'
import { NLM_F_CREATE, NLM_F_EXCL } from './message.ts'
import { malformed } from './netlink-error.ts'
import type { Netlink } from './netlink.ts'

export const RTM_NEWRULE = 32
export const RTM_DELRULE = 33
const RTM_GETRULE = 34

const FIB_RULE_HDR_BYTES = 12
const FRA_DST = 1
const FRA_SRC = 2
const FRA_IIFNAME = 3
const FRA_GOTO = 4
const FRA_PRIORITY = 6
const FRA_FWMARK = 10
const FRA_SUPPRESS_PREFIXLEN = 14
const FRA_TABLE = 15
const FRA_FWMASK = 16
const FRA_OIFNAME = 17
const FRA_L3MDEV = 19
const FRA_PROTOCOL = 21
const FIB_RULE_INVERT = 2
/** FRA_SUPPRESS_PREFIXLEN of a rule that suppresses nothing. */
const NO_SUPPRESSION = 0xffffffff

/** FR_ACT_*. */
const ACTIONS = { lookup: 1, goto: 2, nop: 3, blackhole: 6, unreachable: 7, prohibit: 8 } as const

export type RuleAction = keyof typeof ACTIONS

export interface RuleSpec {
  readonly family: Family
  /** Lower is earlier. Absent: the kernel picks one. */
  readonly priority?: number | undefined
  /** @default 'lookup' */
  readonly action?: RuleAction | undefined
  /** For `lookup`; absent with `l3mdev`. */
  readonly table?: number | undefined
  /** Looks up the VRF's table of the packet's device. */
  readonly l3mdev?: boolean | undefined
  /** Priority of the rule to go to. */
  readonly goto?: number | undefined
  /** Prefixes. */
  readonly from?: string | undefined
  readonly to?: string | undefined
  /** Names of links. */
  readonly iif?: string | undefined
  readonly oif?: string | undefined
  readonly mark?: number | undefined
  readonly markMask?: number | undefined
  /** Ignores results with a prefix length of at most this. */
  readonly suppressPrefixLength?: number | undefined
  readonly invert?: boolean | undefined
  /** RTPROT_*. */
  readonly protocol?: number | undefined
}

/** A rule as the kernel describes it. */
export interface Rule extends RuleSpec {
  readonly priority: number
  readonly table: number
  readonly l3mdev: boolean
}

/** `ip [-6] rule show` */
export function listRules(netlink: Netlink, filter: { family?: Family } = {}): Rule[] {
  const writer = new MessageWriter()
  writer.struct(FIB_RULE_HDR_BYTES).writeUInt8(filter.family ?? 0, 0)
  return netlink
    .dump({ type: RTM_GETRULE, flags: 0, body: writer.finish(), asked: 'list rules' })
    .filter((message) => message.type === RTM_NEWRULE && isInet(message.body))
    .map((message) => decodeRule(message.body))
}

/** `ip rule add ...`. Throws NetlinkError: EEXIST when it is there. */
export function addRule(netlink: Netlink, spec: RuleSpec): void {
  const flags = NLM_F_CREATE | NLM_F_EXCL
  netlink.request({ type: RTM_NEWRULE, flags, body: encodeRule(spec), asked: `add rule ${spec.priority ?? ''}` })
}

/** `ip rule del ...`: the first that matches what is given. Throws NetlinkError: ENOENT when there is none. */
export function deleteRule(netlink: Netlink, spec: RuleSpec): void {
  netlink.request({ type: RTM_DELRULE, flags: 0, body: encodeRule(spec), asked: `delete rule ${spec.priority ?? ''}` })
}

export function encodeRule(spec: RuleSpec): Buffer {
  const from = spec.from === undefined ? undefined : parsePrefix(spec.from)
  const to = spec.to === undefined ? undefined : parsePrefix(spec.to)
  const table = spec.table ?? 0
  const writer = new MessageWriter()
  const head = writer.struct(FIB_RULE_HDR_BYTES)
  head.writeUInt8(spec.family, 0)
  head.writeUInt8(to?.length ?? 0, 1)
  head.writeUInt8(from?.length ?? 0, 2)
  head.writeUInt8(table < 256 ? table : 0, 4)
  head.writeUInt8(ACTIONS[spec.action ?? 'lookup'], 7)
  head.writeUInt32LE(spec.invert === true ? FIB_RULE_INVERT : 0, 8)
  return writer
    .bytes(FRA_DST, to?.bytes)
    .bytes(FRA_SRC, from?.bytes)
    .string(FRA_IIFNAME, spec.iif)
    .u32(FRA_GOTO, spec.goto)
    .u32(FRA_PRIORITY, spec.priority)
    .u32(FRA_FWMARK, spec.mark)
    .u32(FRA_SUPPRESS_PREFIXLEN, spec.suppressPrefixLength)
    .u32(FRA_TABLE, spec.table)
    .u32(FRA_FWMASK, spec.markMask)
    .string(FRA_OIFNAME, spec.oif)
    .u8(FRA_L3MDEV, spec.l3mdev === true ? 1 : undefined)
    .u8(FRA_PROTOCOL, spec.protocol)
    .finish()
}

/** Reads an RTM_NEWRULE or RTM_DELRULE message. Throws NetlinkError EBADMSG. */
export function decodeRule(body: Buffer): Rule {
  if (body.length < FIB_RULE_HDR_BYTES) throw malformed(`rule message of ${body.length} bytes`)
  const family = body.readUInt8(0)
  if (family !== AF_INET && family !== AF_INET6) throw malformed(`rule of family ${family}`)
  const attributes = Attributes.parse(body, FIB_RULE_HDR_BYTES)
  const prefix = (type: number, length: number): string | undefined => {
    const bytes = attributes.bytes(type)
    return bytes === undefined ? undefined : `${ipText(bytes)}/${length}`
  }
  const suppress = attributes.u32(FRA_SUPPRESS_PREFIXLEN)
  const action = Object.entries(ACTIONS).find(([, value]) => value === body.readUInt8(7))
  return {
    family,
    priority: attributes.u32(FRA_PRIORITY) ?? 0,
    action: action?.[0] as RuleAction | undefined,
    table: attributes.u32(FRA_TABLE) ?? body.readUInt8(4),
    l3mdev: attributes.flag(FRA_L3MDEV) ?? false,
    goto: attributes.u32(FRA_GOTO),
    from: prefix(FRA_SRC, body.readUInt8(2)),
    to: prefix(FRA_DST, body.readUInt8(1)),
    iif: attributes.string(FRA_IIFNAME),
    oif: attributes.string(FRA_OIFNAME),
    mark: attributes.u32(FRA_FWMARK),
    markMask: attributes.u32(FRA_FWMASK),
    suppressPrefixLength: suppress === NO_SUPPRESSION ? undefined : suppress,
    invert: (body.readUInt32LE(8) & FIB_RULE_INVERT) !== 0,
    protocol: attributes.u8(FRA_PROTOCOL),
  }
}
