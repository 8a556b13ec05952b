/**
 * BGP speakers of the host: what stands where MetalLB, FRR-K8s or Calico stand on a real node. Stock programs with the
 * configuration that those projects write, so that the router is seen as they see it.
 */
import { ASN } from './resources.ts'
import type { Bird } from './bird.ts'
import type { Frr } from './frr.ts'
import type { LabNode } from './node.ts'

/** One session of the speaker. What it announces is announced to no other session. */
export interface SpeakerSession {
  /** The router: `192.169.10.1`. */
  readonly peer: string
  /** @default the nodes' AS */
  readonly peerASN?: number
  /** Prefixes of the peer's family. */
  readonly announces?: readonly string[]
  readonly password?: string
  readonly bfd?: boolean
}

export interface SpeakerOptions {
  /** @default the hosts' AS */
  readonly asn?: number
  readonly routerID: string
  readonly sessions: readonly SpeakerSession[]
}

/** Numbers of a VPN as host speakers see it. `N` in an address is the node's number, from 1. */
const vpns = {
  red: { peers: ['192.169.10.1', 'fd00:c9:10::1'], address: (n: string) => [`10.1.${n}.1`, `fd00:e1:${n}::1`] },
  blue: { peers: ['192.169.20.1', 'fd00:c9:20::1'], address: (n: string) => [`10.2.${n}.1`, `fd00:e2:${n}::1`] },
  passthrough: { peers: ['192.169.5.1', 'fd00:c9:5::1'], address: (n: string) => [`10.5.${n}.1`, `fd00:e5:${n}::1`] },
} as const

export type Vpn = keyof typeof vpns

/** The addresses of a node's host that its speaker announces into a VPN: IPv4, IPv6. */
export function announcedBy(node: string, vpn: Vpn): [string, string] {
  const [v4 = '', v6 = ''] = vpns[vpn].address(node.slice(-1))
  return [v4, v6]
}

/** The sessions of a node's speaker with the router in these VPNs, both families, announcing `announcedBy`. */
export function sessionsWith(
  node: string,
  names: readonly Vpn[],
  extra: Partial<SpeakerSession> = {},
): SpeakerSession[] {
  return names.flatMap((vpn) => {
    const [v4, v6] = announcedBy(node, vpn)
    const [peer4, peer6] = vpns[vpn].peers
    return [
      { peer: peer4, announces: [`${v4}/32`], ...extra },
      { peer: peer6, announces: [`${v6}/128`], ...extra },
    ]
  })
}

/** FRR in the host with sessions in these VPNs; the addresses it announces are on the host's loopback. */
export async function startFrrSpeaker(
  node: LabNode,
  names: readonly Vpn[],
  options: Partial<SpeakerOptions> = {},
): Promise<Frr> {
  await node.addAddresses(...sessionsWith(node.name, names).flatMap(({ announces = [] }) => announces))
  return node.hostFrr(
    frrSpeaker({ routerID: routerID(node.name), sessions: sessionsWith(node.name, names), ...options }),
  )
}

/** BIRD in the host, likewise. */
export async function startBirdSpeaker(
  node: LabNode,
  names: readonly Vpn[],
  options: Partial<SpeakerOptions> = {},
): Promise<Bird> {
  await node.addAddresses(...sessionsWith(node.name, names).flatMap(({ announces = [] }) => announces))
  return node.hostBird(
    birdSpeaker({ routerID: routerID(node.name), sessions: sessionsWith(node.name, names), ...options }),
  )
}

function routerID(node: string): string {
  return `10.254.0.${node.slice(-1)}`
}

/**
 * frr.conf as FRR-K8s writes it for MetalLB: per neighbour a prefix list with what it may be told and a route map each
 * way (frr-k8s internal/frr/templates).
 */
export function frrSpeaker(options: SpeakerOptions): string {
  const { asn = ASN.hosts, routerID: id, sessions } = options
  const lines = [
    'frr defaults traditional',
    'ip nht resolve-via-default',
    'ipv6 nht resolve-via-default',
    ...sessions.flatMap(frrPolicy),
    `router bgp ${asn}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp network import-check',
    ' no bgp default ipv4-unicast',
    ` bgp router-id ${id}`,
    ...sessions.flatMap((session) => frrNeighbor(session)),
    ...([4, 6] as const).flatMap((family) => frrFamily(sessions, family)),
    'exit',
  ]
  return `${lines.join('\n')}\n`
}

function frrPolicy({ peer, announces = [] }: SpeakerSession): string[] {
  const word = familyOf(peer) === 4 ? 'ip' : 'ipv6'
  const list = announces.length === 0 ? ['deny any'] : announces.map((prefix) => `permit ${prefix}`)
  return [
    ...list.map((entry, at) => `${word} prefix-list ${peer}-allowed seq ${at + 1} ${entry}`),
    `route-map ${peer}-out permit 1`,
    ` match ${word} address prefix-list ${peer}-allowed`,
    'exit',
    `route-map ${peer}-in permit 20`,
    'exit',
  ]
}

function frrNeighbor({ peer, peerASN = ASN.nodes, password, bfd }: SpeakerSession): string[] {
  return [
    ` neighbor ${peer} remote-as ${peerASN}`,
    ` neighbor ${peer} timers 3 9`,
    ` neighbor ${peer} timers connect 1`,
    ...(password === undefined ? [] : [` neighbor ${peer} password ${password}`]),
    ...(bfd ? [` neighbor ${peer} bfd`] : []),
  ]
}

function frrFamily(sessions: readonly SpeakerSession[], family: 4 | 6): string[] {
  const own = sessions.filter(({ peer }) => familyOf(peer) === family)
  if (own.length === 0) return []
  return [
    ` address-family ipv${family} unicast`,
    ...own.flatMap(({ peer, announces = [] }) => [
      `  neighbor ${peer} activate`,
      `  neighbor ${peer} route-map ${peer}-in in`,
      `  neighbor ${peer} route-map ${peer}-out out`,
      ...announces.map((prefix) => `  network ${prefix}`),
    ]),
    ' exit-address-family',
  ]
}

/**
 * bird.conf as Calico writes it: routes of the kernel and of interfaces are learnt, a template per peer, filters that
 * let only the node's own workloads out (calico confd/etc/calico/confd/templates). For BIRD 2: one process, a channel per family.
 */
export function birdSpeaker({ asn = ASN.hosts, routerID: id, sessions }: SpeakerOptions): string {
  const kernel = ([4, 6] as const).map(
    (family) => `protocol kernel kernel${family} {
  learn;
  persist;
  scan time 2;
  ipv${family} { import all; export where source = RTS_BGP; };
  graceful restart;
}`,
  )
  return `router id ${id};
protocol device { scan time 2; }
protocol direct { interface "lo"; ipv4; ipv6; }
${kernel.join('\n')}
template bgp peers {
  local as ${asn};
  direct;
  graceful restart;
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 3;
  hold time 9;
}
${sessions.map(birdPeer).join('\n')}
`
}

function birdPeer({ peer, peerASN = ASN.nodes, announces = [], password, bfd }: SpeakerSession, at: number): string {
  const family = familyOf(peer)
  const allowed = announces.length === 0 ? 'none' : `where net ~ [ ${announces.join(', ')} ]`
  return `${bfd && at === 0 ? 'protocol bfd { }\n' : ''}protocol bgp session${at + 1} from peers {
  neighbor ${peer} as ${peerASN};
  ${password === undefined ? '' : `password "${password}";`}${bfd ? 'bfd on;' : ''}
  ipv${family} { import all; export ${allowed}; };
}`
}

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4
}
